"""A real primary and its real hot standby: at two addresses of this machine, and at one port, as Asterisk wants it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local import ports
from local.child_process import child_pids
from local.postgres import Postgres
from tests.support.database import SERVICE, TestDatabase, make_database
from tests.support.eventually import eventually

HOSTS = "127.0.0.1", "127.0.0.2"
NAME = "connector"
OPTIONS = {"fsync": "off", "wal_keep_size": "64MB", "wal_receiver_timeout": "2s"}


@dataclass(frozen=True)
class Pair:
    """Both run. The old primary is the first of the hosts."""

    primary: Postgres
    standby: Postgres

    @property
    def database(self) -> TestDatabase:
        """As the primary has it."""
        return TestDatabase(self.primary, NAME)

    @property
    def promoted(self) -> TestDatabase:
        """As the standby has it."""
        return TestDatabase(self.standby, NAME)

    def url(self, role: str = SERVICE, *, standby_first: bool = False) -> str:
        """Both hosts in one."""
        hosts = [f"{host}:{self.primary.port}" for host in (HOSTS[::-1] if standby_first else HOSTS)]
        return f"postgresql://{role}@{','.join(hosts)}/{NAME}?target_session_attrs=primary"

    async def caught_up(self) -> None:
        """Wait until the standby has what the primary has."""
        await self.database.execute("create table if not exists mark ()")

        async def there() -> bool:
            return bool((await self.promoted.rows("select to_regclass('mark') is not null as there"))[0]["there"])

        await eventually(there, what="the standby has caught up")

    async def promote(self) -> None:
        """Return once the standby takes changes."""
        await asyncio.to_thread(self.standby.sql, "select pg_promote()")


@pytest.fixture(scope="session")
def pair_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a cluster that is shut down, with the demo data, from which both are copied."""
    folder = tmp_path_factory.mktemp("pair")
    with Postgres(folder, options=OPTIONS) as server:
        make_database(server, NAME)
    return folder


@pytest.fixture
async def pair(pair_template: Path, tmp_path: Path) -> AsyncIterator[Pair]:
    """A primary and its standby, for one test, which may kill, freeze and promote them."""
    with running_pair(pair_template, tmp_path) as made:
        await made.caught_up()
        yield made


@contextlib.contextmanager
def running_pair(template: Path, folder: Path) -> Iterator[Pair]:
    port = ports.free_port()
    primary = Postgres(_copied(template, folder / "primary"), host=HOSTS[0], port=port, options=OPTIONS)
    copied = _copied(template, folder / "standby")
    as_standby(copied)
    source = f"host={primary.host} port={port} user={primary.superuser} password={primary_password(template)}"
    standby = Postgres(copied, host=HOSTS[1], port=port, options={**OPTIONS, "primary_conninfo": source})
    with primary, standby:
        yield Pair(primary, standby)


def primary_password(template: Path) -> str:
    return (template / "superuser-password").read_text()


def as_standby(folder: Path) -> None:
    """Have the cluster in a folder come up as a hot standby."""
    signal_file = folder / "cluster/standby.signal"
    signal_file.touch()
    owner = signal_file.parent.stat()
    os.chown(signal_file, owner.st_uid, owner.st_gid)


def _copied(template: Path, target: Path) -> Path:
    subprocess.run(["cp", "-a", template, target], check=True)
    (target / "postgres.log").unlink(missing_ok=True)
    return target


@contextlib.contextmanager
def frozen(server: Postgres) -> Iterator[None]:
    """The server and all its children stopped: connections stay open, new ones too, and nobody answers."""
    assert server.process is not None
    postmaster = server.process.pid
    os.kill(postmaster, signal.SIGSTOP)  # first, so that it makes no more children
    family = [postmaster, *child_pids(postmaster)]
    for pid in family[1:]:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in reversed(family):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
