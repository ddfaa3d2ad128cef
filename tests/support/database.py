"""A real PostgreSQL for the tests: one private server, one migrated template with the demo data, a clone per test."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from local import ports
from local.postgres import Postgres
from service.cli import demo
from service.db.migrate import migrate
from service.settings import CallServer, Settings

OWNER, SERVICE, ASTERISK = "connector_owner", "connector_service", "asterisk_main"
PASSWORD = "test-password"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}

HASH_ROUNDS = 4
"""bcrypt's least, 250 times cheaper than what the service uses: for all tests but those of the cost itself."""

MEMORY = Path("/dev/shm")  # noqa: S108 - a random folder in it
MEMORY_NEEDED = 2 << 30

_numbers = itertools.count()


@dataclass(frozen=True)
class TestDatabase:
    """One database on the test server, and how each role reaches it."""

    __test__ = False

    server: Postgres
    name: str

    def settings(self, **values: Any) -> Settings:
        """Settings that use it, with one call server that is not there, unless `values` say otherwise.

        Who waits for something to change may ask for longer than the default limit of requests lasts.
        """
        defaults: dict[str, Any] = {
            "database_url": self.server.url(SERVICE, self.name),
            "database_password": PASSWORD,
            "owner_database_url": self.server.url(OWNER, self.name),
            "owner_database_password": PASSWORD,
            "call_servers": {"main": call_server()},
            "http_port": ports.free_port(),
            "requests_per_minute": 1_000_000,
        }
        return Settings(**{**defaults, **values})

    async def connect(self, role: str = OWNER) -> asyncpg.Connection:
        """A connection of one's own, as the owner, the service or an Asterisk."""
        password = self.server.superuser_password if role == self.server.superuser else PASSWORD
        return await asyncpg.connect(self.server.url(role, self.name), password=password, timeout=10)

    async def execute(self, statement: str, *arguments: Any) -> str:
        """One statement as the owner, as an operator would type it into psql."""
        connection = await self.connect()
        try:
            return await connection.execute(statement, *arguments)
        finally:
            await connection.close()

    async def rows(self, statement: str, *arguments: Any) -> list[asyncpg.Record]:
        """What a statement finds, as the owner."""
        connection = await self.connect()
        try:
            return await connection.fetch(statement, *arguments)
        finally:
            await connection.close()


def call_server(**values: Any) -> CallServer:
    """A call server whose AMI is at a port where nobody listens, unless `values` say otherwise."""
    defaults: dict[str, Any] = {
        "host": "pbx.example.com",
        "ami_host": "127.0.0.1",
        "ami_port": ports.free_port(),
        "monitor_secret": PASSWORD,
        "database_role": ASTERISK,
        "database_password": PASSWORD,
    }
    return CallServer(**{**defaults, **values})


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A private server, for all tests that do not harm it; in memory, where copying a database takes a fifth."""
    if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > MEMORY_NEEDED:
        with (
            tempfile.TemporaryDirectory(prefix="postgres-", dir=MEMORY) as name,
            Postgres(Path(name), options=FAST) as server,
        ):
            yield server
    else:  # as in a container, where it has 64 MiB
        with Postgres(tmp_path_factory.mktemp("postgres"), options=FAST) as server:
            yield server


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> TestDatabase:
    """The migrated database with the demo data, from which the others are cloned."""
    return make_database(postgres, "template_connector")


def make_database(server: Postgres, name: str) -> TestDatabase:
    """A new database, migrated, with the demo data."""
    server.create_database(name, OWNER, PASSWORD)
    made = TestDatabase(server, name)
    settings = made.settings()

    async def prepare() -> None:
        await migrate(settings)
        await demo.load(settings, hash_rounds=HASH_ROUNDS)

    _in_a_loop_of_its_own(prepare)
    return made


@pytest.fixture
def database(template: TestDatabase) -> Iterator[TestDatabase]:
    """A fresh clone, for one test."""
    with cloned(template) as made:
        yield made


@contextlib.contextmanager
def cloned(template: TestDatabase) -> Iterator[TestDatabase]:
    """A copy of the template, until the block ends."""
    name = f"test_{next(_numbers)}"
    _copy(template, name)
    try:
        yield TestDatabase(template.server, name)
    finally:
        template.server.sql(f"drop database {name} with (force)")


def copied(template: TestDatabase, name: str) -> TestDatabase:
    """A copy of the template that stays: what `make_database` makes, in a tenth of the time."""
    _copy(template, name)
    made = TestDatabase(template.server, name)
    settings = made.settings()
    _in_a_loop_of_its_own(lambda: migrate(settings))  # no copy has the privileges on the database itself
    return made


def _copy(template: TestDatabase, name: str) -> None:
    template.server.sql(f"create database {name} template {template.name} owner {OWNER} {_strategy(template.server)}")


@functools.cache
def _strategy(server: Postgres) -> str:
    """Copy files: it takes half the time of the write-ahead log, the default since PostgreSQL 15, which has both."""
    return "strategy file_copy" if int(server.sql("show server_version_num")) >= 150_000 else ""


def _in_a_loop_of_its_own(work: Any) -> None:
    import threading

    failed: list[BaseException] = []

    def run() -> None:
        try:
            asyncio.run(work())
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]


def scratch(tmp_path: Path) -> Path:
    """A folder that other users may enter, for servers that do not run as root."""
    tmp_path.chmod(0o755)
    return tmp_path
