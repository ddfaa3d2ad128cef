"""A real Asterisk for the tests, that reads a database of its own, and real phones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from local.asterisk import Asterisk, Config, Database
from local.asterisk_programs import TEMPLATES
from local.sip import Phone
from service.settings import Settings
from tests.support.database import ASTERISK, PASSWORD, TestDatabase, call_server, make_database


@dataclass(frozen=True)
class Pbx:
    """One Asterisk and the database that it reads."""

    asterisk: Asterisk
    database: TestDatabase

    def settings(self, **values: object) -> Settings:
        """Settings of a service in front of it. `ami_port` and other values of the call server may differ."""
        names = ("ami_port", "monitor_username", "monitor_secret", "host", "websocket_port", "websocket_scheme")
        config = self.asterisk.config
        server = {"ami_port": config.ami_port, "monitor_secret": config.monitor_secret}
        server |= {"presence_secret": config.presence_secret}
        server |= {name: values.pop(name) for name in names if name in values}
        return self.database.settings(call_servers={"main": call_server(**server)}, **values)

    def phone(self, extension: str, password: str) -> Phone:
        """A phone that is not started yet."""
        return Phone(extension, password, "127.0.0.1", self.asterisk.config.sip_port)


def make_pbx(factory: pytest.TempPathFactory, database: TestDatabase, templates: Path = TEMPLATES / "etc") -> Pbx:
    """An Asterisk that is not started yet."""
    reads = Database(port=database.server.port, name=database.name, user=ASTERISK, password=PASSWORD)
    return Pbx(Asterisk(factory.mktemp("asterisk"), Config(database=reads), templates=templates), database)


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """A booted Asterisk with a database of its own, with the demo data; one per module, as its tests may harm it."""
    name = f"pbx_{tmp_path_factory.mktemp('name').name.replace('-', '_')}".lower()
    made = make_pbx(tmp_path_factory, make_database(template.server, name))
    with made.asterisk:
        yield made
