"""The service of the last release, from the repository's history: what an upgrade starts from and may go back to."""

from __future__ import annotations

import asyncio
import io
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support import command_line
from tests.support.command_line import ROOT
from tests.support.database import OWNER, PASSWORD, TestDatabase
from tests.support.traffic import FREE_PHONE

COMMIT = "7af528f0af633c386885875cc9ab1dfd93629b84"
"""Version 0.1.0. Move it when another version is released."""
PEOPLE = 500
"""Users and extensions in a database of that release, beside the demo's."""


@pytest.fixture(scope="session")
def release_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which `python -m service` is the last release, with the libraries of this one."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", COMMIT, "service"], capture_output=True, check=False
    )
    if done.returncode:
        pytest.fail(
            f"the last release ({COMMIT}) is not in this clone's history: clone the repository whole, or "
            f"`git fetch --unshallow`. git says: {done.stderr.decode(errors='replace').strip()}"
        )
    folder = tmp_path_factory.mktemp("release_before")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


@asynccontextmanager
async def made_by(root: Path, postgres: TestDatabase, name: str) -> AsyncIterator[TestDatabase]:
    """A database as the release in `root` makes it, with data."""
    postgres.server.create_database(name, OWNER, PASSWORD)
    database = TestDatabase(postgres.server, name)
    variables = command_line.environment(database)
    for command in ("migrate", "demo"):
        done = await asyncio.to_thread(command_line.command, variables, command, root=root)
        assert done.returncode == 0, done.stderr
    await database.execute(
        """
        with made as (
            insert into users (name, email, passwd, user_type, uid)
            select 'Person ' || case n % 2 when 0 then 'Анна ' else '' end || n, 'person' || n || '@example.com', 'x',
                'agent', 'ABCDEFGHJKLMN' || translate((1000 + n)::text, '01', 'ab')
            from generate_series(1, $1) as n returning user_id
        ), held as (
            insert into extensions (extension, secret, call_server, user_id)
            select 'phone-' || user_id, md5(user_id::text), 'main', user_id from made
        ), tokens_ as (
            insert into tokens (token_hash, user_id, expires_at)
            select sha256(user_id::text::bytea), user_id, now() + interval '1 day' from made
        )
        insert into activity (user_id, last_seen) select user_id, now() from made
        """,
        PEOPLE,
    )
    await database.execute(
        "insert into extensions (extension, secret, call_server) values ($1, 'a-secret-of-12', 'main')", FREE_PHONE
    )
    try:
        yield database
    finally:
        postgres.server.sql(f"drop database {name} with (force)")


async def migrated(database: TestDatabase, root: Path = command_line.ROOT) -> str:
    """What `migrate` logged; it must succeed."""
    variables = command_line.environment(database)
    done = await asyncio.to_thread(command_line.ended, command_line.started(variables, "migrate", root=root), within=90)
    assert done.returncode == 0, done.stderr
    return done.stderr
