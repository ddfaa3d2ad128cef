"""A dump in an empty database of a new cluster, then `migrate`, as docs/operations.md says, by the real programs."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from local.postgres import Postgres
from local.postgres_binaries import environment, find_binaries
from service.cli.demo import LOGINS
from service.db.migrate import migrate
from service.db.pool import Database
from service.errors import ConfigurationError
from tests.support import release_before as last
from tests.support.database import ASTERISK, FAST, OWNER, PASSWORD, SERVICE, TestDatabase, cloned, scratch
from tests.support.server import AGENT_UID, serving

AS_DOCUMENTED = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


def run(database: TestDatabase, program: str, *options: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """One of PostgreSQL's programs, as the owner, who is no superuser."""
    url = database.server.url(OWNER, database.name)
    return subprocess.run(
        [find_binaries(database.server._cluster) / program, *options, f"--dbname={url}"],
        env={**environment(), "PGPASSWORD": PASSWORD},
        input=given,
        capture_output=True,
        timeout=60,
        check=False,
    )


def dumped(database: TestDatabase, *options: str) -> bytes:
    done = run(database, "pg_dump", *options)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def snapshot(database: TestDatabase) -> list[str]:
    """Schema, owners, grants and rows as pg_dump tells them, but for when what was applied."""
    lines = dumped(database, "--exclude-table-data=schema_migrations").decode().splitlines()
    return [line for line in lines if not line.startswith(("\\restrict", "\\unrestrict", "--"))]


@asynccontextmanager
async def new_cluster(folder: Path) -> AsyncIterator[TestDatabase]:
    """Another machine: no roles, and an empty database."""
    with Postgres(scratch(folder), options=FAST) as server:
        server.create_database("connector", OWNER, PASSWORD)
        yield TestDatabase(server, "connector")


async def test_a_dump_of_this_release_is_whole_after_migrate(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute("select setval('users_user_id_seq', 5000)")
    await migrate(database.settings())
    async with new_cluster(tmp_path) as fresh:
        done = run(fresh, "pg_restore", *AS_DOCUMENTED, given=dumped(database, "--format=custom"))
        assert done.returncode == 0, done.stderr.decode()
        await migrate(fresh.settings())
        assert snapshot(fresh) == snapshot(database)

        async with serving(fresh.settings()) as server:
            headers = await server.login(LOGINS[1][0], LOGINS[1][1])
            asterisk = await fresh.connect(ASTERISK)
            phones = await asterisk.fetch("select id, password from ps_auths where id = '12342'")
            assert [tuple(row) for row in phones] == [("12342", "my$up3erP@ssw0rd")]
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await asterisk.fetch("select from users")
            await asterisk.close()
            stranger = await fresh.connect(SERVICE)
            await stranger.execute("update users set active = false where user_id = 1795")  # the triggers are back
            await stranger.close()
            await server.answers(401, headers, AGENT_UID, within=10)


async def test_a_dump_of_the_last_release_is_what_an_upgrade_makes_of_it(
    template: TestDatabase, release_before: Path, tmp_path: Path
) -> None:
    async with last.made_by(release_before, template, "dumped") as old, new_cluster(tmp_path) as fresh:
        done = run(fresh, "psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction",
                   given=dumped(old, "--no-owner", "--no-privileges"))  # fmt: skip
        assert done.returncode == 0, done.stderr.decode()
        await migrate(fresh.settings())
        await migrate(old.settings())
        assert snapshot(fresh) == snapshot(old)


async def test_a_dump_in_a_database_that_was_migrated_changes_nothing(template: TestDatabase) -> None:
    """The wrong order: `migrate` first. The whole restore is undone, and an empty database is the remedy."""
    dump = dumped(template, "--format=custom")
    with cloned(template) as busy:
        await busy.execute("delete from users where user_id = 1796")
        before = snapshot(busy)
        done = run(busy, "pg_restore", *AS_DOCUMENTED, given=dump)
        assert done.returncode != 0
        assert b"already exists" in done.stderr
        assert snapshot(busy) == before


async def test_a_start_between_restore_and_migrate_says_what_is_missing(template: TestDatabase) -> None:
    dump = dumped(template, "--format=custom")
    name = "restored_beside"
    template.server.create_database(name, OWNER, PASSWORD)
    beside = TestDatabase(template.server, name)
    try:
        assert run(beside, "pg_restore", *AS_DOCUMENTED, given=dump).returncode == 0
        with pytest.raises(ConfigurationError, match="run `python -m service migrate`"):
            async with Database.of(beside.settings()):
                pass
    finally:
        template.server.sql(f"drop database {name} with (force)")
