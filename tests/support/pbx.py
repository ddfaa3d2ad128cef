"""A real Asterisk for the tests, that reads a database of its own, and real phones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from local import asterisk_programs
from local.asterisk import Asterisk, Config, Database
from local.asterisk_programs import TEMPLATES, Programs
from local.baresip import Phone
from local.debian import distribution
from service.settings import Settings
from tests.support.database import ASTERISK, PASSWORD, TestDatabase, call_server, copied


@dataclass(frozen=True)
class Pbx:
    """One Asterisk and the database that it reads."""

    asterisk: Asterisk
    database: TestDatabase

    def settings(self, **values: object) -> Settings:
        """Settings of a service in front of it. `ami_port` and other values of the call server may differ."""
        names = (
            *("ami_port", "monitor_username", "monitor_secret"),
            *("host", "websocket_port", "websocket_scheme", "sip_host", "sip_transport"),
        )
        config = self.asterisk.config
        server = {"ami_port": config.ami_port, "monitor_secret": config.monitor_secret}
        server |= {"presence_secret": config.presence_secret, "sip_port": config.sip_port}
        server |= {name: values.pop(name) for name in names if name in values}
        return self.database.settings(call_servers={"main": call_server(**server)}, **values)

    def phone(self, extension: str, password: str, **options: Any) -> Phone:
        """A phone that is not started yet."""
        return Phone(extension, password, "127.0.0.1", self.asterisk.config.sip_port, **options)


def manager_conf(pbx: Pbx) -> Path:
    """The file that a running Asterisk reads."""
    process = pbx.asterisk.process
    assert process is not None
    assert isinstance(process.args, list)
    return Path(str(process.args[-2])).with_name("manager.conf")


OLDEST = "bullseye"
"""The Debian suite whose Asterisk, 16.28, is the oldest that is tested; Ubuntu's mirrors do not carry it."""
TESTED = os.environ.get("TEST_ASTERISKS", "newest").split()
"""Debian suites, and `newest`. `all` in `TEST_ASTERISKS` stands for each that the machine's mirrors carry."""
if TESTED == ["all"]:
    TESTED = ["newest", OLDEST] if distribution() == "debian" else ["newest"]


@pytest.fixture(scope="module", params=TESTED)
def programs(request: pytest.FixtureRequest) -> Programs:
    """Asterisk's programs: all tests that use them run with each Asterisk of `TESTED`."""
    suite: str = request.param
    return asterisk_programs.find() if suite == "newest" else asterisk_programs.extracted(suite)


def make_pbx(
    factory: pytest.TempPathFactory,
    database: TestDatabase,
    templates: Path = TEMPLATES / "etc",
    programs: Programs | None = None,
    sip_certificate: Path | None = None,
) -> Pbx:
    """An Asterisk that is not started yet; the newest, unless `programs` are given."""
    reads = Database(port=database.server.port, name=database.name, user=ASTERISK, password=PASSWORD)
    folder, config = factory.mktemp("asterisk"), Config(database=reads, sip_certificate=sip_certificate)
    return Pbx(Asterisk(folder, config, templates=templates, programs=programs), database)


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """A booted Asterisk with a database of its own, with the demo data; one per module, as its tests may harm it."""
    name = f"pbx_{tmp_path_factory.mktemp('name').name.replace('-', '_')}".lower()
    made = make_pbx(tmp_path_factory, copied(template, name), programs=programs)
    with made.asterisk:
        yield made
