"""What Asterisk is asked after a reconnect grows with the phones that are registered, and all is known all the same."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from local.asterisk_programs import TEMPLATES, Programs
from service.ami import contact_sync
from service.ami.link import Link
from service.cli.demo import SIP_PASSWORD
from service.domain.models import DeviceState, device_of
from tests.support.cutter import Cutter, cutting
from tests.support.database import TestDatabase, copied
from tests.support.eventually import eventually
from tests.support.links import Watch, live
from tests.support.pbx import Pbx, make_pbx

PHONE = "12342"
SILENT = [str(number) for number in range(40_001, 40_401)]
"""Extensions without a phone: more than are read one by one."""
MADE_LATER = "40999"
AT_ONCE = {
    "Login": 1,
    "ExtensionStateList": 1,
    "DeviceStateList": 1,
    "PresenceStateList": 1,
    "QueueStatus": 30,
    "DBGetTree": 1,
}
"""What is asked anyhow; for the queues every second, until one is heard of."""
BOOTED = 30.0


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk that booted with many extensions."""
    database = copied(template, f"many_{programs.version.split()[1].partition('.')[0]}")
    values = ", ".join(f"('{number}', 'secret-{number}', 'main')" for number in SILENT)
    database.server.sql(f"insert into extensions (extension, secret, call_server) values {values}", database.name)  # noqa: S608
    pbx = make_pbx(tmp_path_factory, database, programs=programs)
    with pbx.asterisk:
        yield pbx


@pytest.fixture
async def cutter(many: Pbx) -> AsyncIterator[Cutter]:
    async with cutting(many.asterisk.config.ami_port) as made:
        yield made


async def known(link: Link, *registered: str) -> None:
    """Wait until state and contacts of all are known, and these phones are there."""

    def all_known() -> bool:
        there = {number for number in (*SILENT, *registered) if (link.contacts_of(number) or ())}
        unknown = [number for number in (*SILENT, *registered) if link.contacts_of(number) is None]
        states = {number: link.states.read(device_of(number)).state for number in (*SILENT, *registered)}
        in_use = {number for number, state in states.items() if state is DeviceState.NOT_INUSE}
        away = {number for number, state in states.items() if state is DeviceState.UNAVAILABLE}
        return not unknown and there == in_use == set(registered) and away == set(SILENT) - set(registered)

    await eventually(all_known, BOOTED, "all is known of all")


async def test_of_extensions_without_a_phone_nothing_is_asked_after_a_reconnect(
    many: Pbx, watch: Watch, cutter: Cutter
) -> None:
    with many.phone(PHONE, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        link = watch(many, port=cutter.port, want=(*SILENT, PHONE))
        await known(link, PHONE)
        cutter.cut()
        await eventually(lambda: not link.states.current)
        assert link.contacts_of(SILENT[0]) is None
        await known(link, PHONE)
        contact = (link.contacts_of(PHONE) or ())[0]
        assert contact.reachable
        assert "baresip" in str(contact.user_agent)
        assert str(contact.address).startswith("127.0.0.1:")
        asked = cutter.actions()
        print(dict(asked))
        assert asked - Counter(AT_ONCE) <= Counter(Getvar=3)  # the proof, whether the one phone answers, and how fast


async def test_a_phone_that_nobody_tracks_is_found_in_the_list(many: Pbx, watch: Watch, cutter: Cutter) -> None:
    """The trap: its extension was made while Asterisk ran, and it registered while no service watched."""
    await many.database.execute(
        "insert into extensions (extension, secret, call_server) values ($1, 'secret', 'main')", MADE_LATER
    )
    with many.phone(MADE_LATER, "secret") as phone:
        await asyncio.to_thread(phone.wait_registered)
        link = watch(many, port=cutter.port, want=(*SILENT, MADE_LATER))
        await known(link, MADE_LATER)
        asked = cutter.actions() - Counter(AT_ONCE)
        assert asked <= Counter(Getvar=30, PJSIPQualify=3)  # events tell of it meanwhile: it is read again


async def test_a_list_that_names_nobody_proves_nothing(
    many: Pbx, watch: Watch, cutter: Cutter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is empty also where contacts are kept elsewhere: endpoints are read one by one, until a phone is in it."""
    monkeypatch.setattr(contact_sync, "LIST_INTERVAL", 1.0)
    monkeypatch.setattr(contact_sync, "READS_PER_SECOND", 4)  # all would take longer than the phone
    link = watch(many, port=cutter.port, want=(*SILENT, PHONE))
    await live(link)
    await eventually(lambda: cutter.actions()["DBGetTree"] == 2)
    assert sum(link.contacts_of(number) is None for number in SILENT) > len(SILENT) / 2
    with many.phone(PHONE, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await known(link, PHONE)
        assert cutter.actions()["Getvar"] < len(SILENT)


@pytest.fixture
def elsewhere(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase, programs: Programs) -> Iterator[Pbx]:
    """An Asterisk that keeps contacts in memory."""
    templates = tmp_path_factory.mktemp("elsewhere") / "etc"
    shutil.copytree(TEMPLATES / "etc", templates)
    _replace(templates / "sorcery.conf", "contact = astdb,registrar", "contact = memory")
    database = copied(template, f"elsewhere_{programs.version.split()[1].partition('.')[0]}")
    pbx = make_pbx(tmp_path_factory, database, templates, programs)
    with pbx.asterisk:
        yield pbx


def _replace(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def test_contacts_that_asterisk_keeps_elsewhere_are_never_overlooked(
    elsewhere: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sync, "MAX_SINGLE_READS", 0)
    with elsewhere.phone(PHONE, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        link = watch(elsewhere, want=(PHONE, "12343"))
        told = set()

        def registered() -> bool:
            told.add(link.contacts_of(PHONE))
            return bool(link.contacts_of(PHONE)) and link.contacts_of("12343") == ()

        await eventually(registered)
        assert () not in told
