"""docs/operations.md, "Backup and restore": its commands, run as they stand there, onto a new machine."""

from __future__ import annotations

import asyncio
import shlex
import subprocess
import sys
from pathlib import Path

from tests.integration.db.test_restore import new_cluster
from tests.support.command_line import ROOT, environment, process_environment, with_programs
from tests.support.database import OWNER, PASSWORD, TestDatabase
from tests.support.documents import blocks
from tests.support.server import ADMIN, AGENT_UID, serving

BACKUP, RESTORE, BY_HAND = blocks("docs/operations.md", heading="Backup and restore")
FOLDER, FILE, URL = "/var/backups/asterisk-connector", "night.backup", "postgresql://connector_owner@host/connector"


async def typed(database: TestDatabase, tmp_path: Path, commands: str) -> None:
    """Run a block on this machine: with its folders, its file and its PostgreSQL."""
    program = tmp_path / "bin/asterisk-connector"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\ncd {ROOT} && exec {shlex.quote(sys.executable)} -m service "$@"\n')
    program.chmod(0o755)
    for shown, here in (
        (FOLDER, str(tmp_path / "backups")),
        (FILE, str(tmp_path / FILE)),
        (URL, database.server.url(OWNER, database.name)),
        ("python -m service", "asterisk-connector"),
    ):
        commands = commands.replace(shown, here)
    variables = {**environment(database), "PGPASSWORD": PASSWORD}
    path = f"{program.parent}:{with_programs(database)['PATH']}"
    done = await asyncio.to_thread(
        subprocess.run,
        ["bash", "-euo", "pipefail", "-c", commands],
        env={**process_environment(variables), "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, (commands, done.stdout, done.stderr)


async def works(database: TestDatabase) -> bool:
    async with serving(database.settings()) as server:
        return (await server.registration(AGENT_UID, ADMIN)).status == 200


async def test_the_commands_bring_a_backup_to_a_new_machine(database: TestDatabase, tmp_path: Path) -> None:
    await typed(database, tmp_path, BACKUP)
    (file,) = (tmp_path / "backups").iterdir()
    file.rename(tmp_path / FILE)
    async with new_cluster(tmp_path) as fresh:
        await typed(fresh, tmp_path, RESTORE)
        assert await works(fresh)
        fresh.server.sql("drop database connector with (force)")
        fresh.server.create_database("connector", OWNER, PASSWORD)
        await typed(fresh, tmp_path, BY_HAND)
        assert await works(fresh)
