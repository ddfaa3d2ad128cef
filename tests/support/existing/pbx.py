"""Fixtures: Asterisks that were there before the service, started from generated files. Nothing in them is scripted.

No real FreePBX or MikoPBX is run: what these Asterisks share with one is what its configuration generator writes.
"""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import asterisk_programs
from local.accounts import Account
from local.asterisk import Asterisk, Config, Database
from local.asterisk_programs import Programs
from local.baresip import Phone
from service.settings import CallServer
from tests.support.database import ASTERISK, PASSWORD, TestDatabase, call_server
from tests.support.existing.freepbx import freepbx
from tests.support.existing.handwritten import chan_sip, vanilla
from tests.support.existing.mikopbx import mikopbx
from tests.support.existing.shape import Shape, write
from tests.support.pbx import OLDEST


class ExistingAsterisk(Asterisk):
    """An Asterisk whose own database holds something when it starts."""

    astdb: dict[str, str]

    def _prepare(self, programs: Programs, account: Account) -> Path:
        home = super()._prepare(programs, account)
        file = home / "db/astdb.sqlite3"
        if self.astdb and not file.exists():
            with contextlib.closing(sqlite3.connect(file)) as database, database:
                database.execute("create table astdb (key varchar(256), value varchar(256), primary key (key))")
                database.executemany("insert into astdb values (?, ?)", self.astdb.items())
            if account:
                shutil.chown(file, account["user"], account["group"])
        return home


@dataclass(frozen=True)
class ExistingPbx:
    """A running Asterisk, and what its files say."""

    asterisk: Asterisk
    shape: Shape

    def call_server(self, **values: Any) -> CallServer:
        """A call server of the settings, with the accounts that docs/existing-pbx.md creates."""
        config = self.asterisk.config
        defaults: dict[str, Any] = {
            "host": "127.0.0.1",
            "ami_port": config.ami_port,
            "monitor_secret": config.monitor_secret,
            "presence_secret": config.presence_secret,
        }
        return call_server(**{**defaults, **values})

    def phone(self, endpoint: str, **options: Any) -> Phone:
        """An endpoint's phone, which is not started yet."""
        found = self.shape.phone(endpoint)
        port = self.shape.sip_port if found.technology == "SIP" else self.asterisk.config.sip_port
        options = {"auth_username": found.auth_username, **options}
        return Phone(found.endpoint, found.secret, "127.0.0.1", port, **options)

    def conf(self, name: str) -> Path:
        """A file that this Asterisk reads, to be changed by a test."""
        process = self.asterisk.process
        assert process is not None
        assert isinstance(process.args, list)
        return Path(str(process.args[process.args.index("-C") + 1])).with_name(name)

    def endpoints(self) -> int:
        """The number of PJSIP endpoints, as Asterisk's command line counts them."""
        _, _, count = self.asterisk.rx("pjsip list endpoints").partition("Objects found:")
        return int(count)


@contextlib.contextmanager
def existing(
    factory: pytest.TempPathFactory,
    shape: Shape,
    *,
    programs: Programs | None = None,
    database: TestDatabase | None = None,
) -> Iterator[ExistingPbx]:
    """A booted Asterisk of this shape; `database` is what its files may name beside its own endpoints."""
    folder = factory.mktemp("existing")
    reads = Database(
        port=database.server.port if database else 1,
        name=database.name if database else "none",
        user=ASTERISK,
        password=PASSWORD,
    )
    asterisk = ExistingAsterisk(
        folder / "run", Config(database=reads), templates=write(shape, folder / "etc"), programs=programs
    )
    asterisk.astdb = shape.astdb
    with asterisk:
        yield ExistingPbx(asterisk, shape)


@pytest.fixture(scope="module")
def freepbx_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """A FreePBX with 1,000 extensions."""
    with existing(tmp_path_factory, freepbx()) as pbx:
        yield pbx


@pytest.fixture(scope="module")
def small_freepbx_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """A FreePBX with ten extensions."""
    with existing(tmp_path_factory, freepbx(10)) as pbx:
        yield pbx


@pytest.fixture(scope="module")
def mikopbx_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """A MikoPBX with four extensions."""
    with existing(tmp_path_factory, mikopbx()) as pbx:
        yield pbx


@pytest.fixture(scope="module")
def vanilla_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """An Asterisk with files written by hand."""
    with existing(tmp_path_factory, vanilla()) as pbx:
        yield pbx


@pytest.fixture(scope="module")
def chan_sip_like(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ExistingPbx]:
    """An Asterisk with chan_sip, which left with release 21, and IAX2."""
    with existing(tmp_path_factory, chan_sip(), programs=programs_with_chan_sip()) as pbx:
        yield pbx


def programs_with_chan_sip() -> Programs:
    """The newest if it has the module, as Ubuntu's has; else Debian's oldest."""
    found = asterisk_programs.find()
    return found if (found.modules / "chan_sip.so").exists() else asterisk_programs.extracted(OLDEST)
