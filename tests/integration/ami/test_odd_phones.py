"""Phones that do what most do not: what is told of them is what is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from structlog.testing import capture_logs

from service.ami import contact_contradictions, endpoint_tracker
from service.ami import link as links
from service.ami.link import Link
from service.cli.demo import SIP_PASSWORD
from service.domain.contacts import Contact
from service.domain.models import DeviceState, Reading
from service.domain.presence.item import CallServerView, compose_item
from service.domain.status.facts import DeviceTrouble, Trouble
from tests.support.eventually import eventually
from tests.support.links import Watch, live
from tests.support.odd_phone import odd_phone
from tests.support.pbx import Pbx
from tests.support.stored import stored_extension

SECRET = "the-odd-phone-s-secret"
NOTICED = 20.0
"""Seconds within which a qualify every second, which may take three, is surely noticed."""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asks again soon, so that what would be asked for ever shows in a test."""
    monkeypatch.setattr(endpoint_tracker, "RETRY_DELAY", 0.5)


async def extension(pbx: Pbx, number: str) -> str:
    """A new extension, whose phone is qualified every second; the real view says 15."""
    (view,) = await pbx.database.rows("select pg_get_viewdef('ps_aors') as sql")
    each_second = view["sql"].replace("15 AS qualify_frequency", "1 AS qualify_frequency")
    await pbx.database.execute(f"create or replace view ps_aors with (security_barrier) as {each_second}")
    statement = "insert into extensions (extension, secret, call_server) values ($1, $2, 'main')"
    await pbx.database.execute(statement, number, SECRET)
    return number


def reads(link: Link, number: str, state: DeviceState) -> bool:
    return link.states.read(f"PJSIP/{number}") == Reading(state)


def contact(link: Link, number: str) -> Contact | None:
    contacts = link.contacts_of(number)
    return contacts[0] if contacts else None


@pytest.mark.parametrize("sync", [False, True], ids=["without sync", "with sync"])
async def test_a_new_phone_that_answers_no_options_is_unavailable_until_it_does(
    pbx: Pbx, watch: Watch, sync: bool
) -> None:
    number = await extension(pbx, f"4000{sync:d}")
    link = watch(pbx, want=(number,), sync=sync)
    await live(link)
    await eventually(lambda: link.queues is not None, NOTICED, "the queues are known, and that is logged")
    with capture_logs() as logs:
        async with odd_phone(number, SECRET, pbx.asterisk.config.sip_port, answers=False) as phone:
            await phone.register()
            await eventually(lambda: getattr(contact(link, number), "reachable", None) is False, NOTICED)
            await eventually(lambda: reads(link, number, DeviceState.UNAVAILABLE))
            assert not link.tracker.untracked()
            phone.answers = True
            await eventually(lambda: reads(link, number, DeviceState.NOT_INUSE), NOTICED)
            phone.answers = False
            await eventually(lambda: reads(link, number, DeviceState.UNAVAILABLE), NOTICED)
            await phone.register(0)
            await eventually(lambda: link.contacts_of(number) == ())
            assert reads(link, number, DeviceState.UNAVAILABLE)
    assert [entry["event"] for entry in logs] == []


async def test_a_link_that_comes_later_knows_such_a_phone_too(pbx: Pbx, watch: Watch) -> None:
    number = await extension(pbx, "40002")
    async with odd_phone(number, SECRET, pbx.asterisk.config.sip_port, answers=False) as phone:
        await phone.register()
        link = watch(pbx, want=(number,))
        await eventually(lambda: reads(link, number, DeviceState.UNAVAILABLE), NOTICED)
        found = contact(link, number)
        assert found is not None
        assert found.reachable is False
        phone.answers = True
        await eventually(lambda: reads(link, number, DeviceState.NOT_INUSE), NOTICED)


async def test_extensions_that_asterisk_does_not_know_are_named_once_and_not_all(pbx: Pbx, watch: Watch) -> None:
    with capture_logs() as logs:
        link = watch(pbx, want=tuple(f"nobody-{number}" for number in range(30)))
        await eventually(lambda: len(said(logs, "debug", "info")) > 60, 30, "each was asked for twice")
    told = said(logs, "info")
    assert len(told) == len(set(told)) == 20
    assert [entry["event"] for entry in logs if entry["log_level"] == "warning"] == ["extension_warnings_suppressed"]
    assert len(link.tracker.untracked()) == 30
    devices = [f"PJSIP/nobody-{number}" for number in range(30)]
    found = {link.trouble_of(device) for device in devices}
    assert found == {DeviceTrouble(Trouble.UNKNOWN_TO_ASTERISK)}
    link.follow((), {f"nobody-{number}" for number in range(30)})
    await eventually(lambda: {link.trouble_of(device) for device in devices} == {None}, 30, "all are forgotten")


def said(logs: Iterable[Mapping[str, Any]], *levels: str) -> list[str]:
    unknown = [entry for entry in logs if entry["event"] == "endpoint_unknown"]
    return [entry["device"] for entry in unknown if entry["log_level"] in levels]


@pytest.mark.parametrize("others", [0, 150], ids=["one by one", "from the list"])
async def test_whether_it_is_registered_is_not_known_of_what_asterisk_does_not_know(
    pbx: Pbx, watch: Watch, others: int
) -> None:
    async with odd_phone("12342", SIP_PASSWORD, pbx.asterisk.config.sip_port, answers=True) as phone:
        await phone.register()
        link = watch(pbx, want=("12342", "12343", "nobody", *(f"nobody-{number}" for number in range(others))))
        await eventually(lambda: registered(link, "12342") and registered(link, "12343") is False)
        assert registered(link, "nobody") is None
        await phone.register(0)


async def test_contacts_that_asterisk_lost_without_a_word_are_doubted_until_it_makes_sense_again(
    pbx: Pbx, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk goes on to call the phone NOT_INUSE, and tells nothing when it registers with the same contact again."""
    monkeypatch.setattr(links, "SNAPSHOT_INTERVAL", 0.5)
    monkeypatch.setattr(contact_contradictions, "MAX_REREAD_INTERVAL", 0.5)
    number, other = await extension(pbx, "40005"), await extension(pbx, "40006")
    config = pbx.asterisk.config
    async with (
        odd_phone(number, SECRET, config.sip_port, answers=True) as phone,
        odd_phone(other, SECRET, config.sip_port, answers=False) as silent,
    ):
        await phone.register()
        await silent.register()
        link = watch(pbx, want=(number, other))
        await eventually(lambda: registered(link, number) and reads(link, number, DeviceState.NOT_INUSE), NOTICED)
        await eventually(lambda: registered(link, other) and reads(link, other, DeviceState.UNAVAILABLE), NOTICED)
        await asyncio.to_thread(pbx.asterisk.rx, "database deltree registrar/contact")
        await eventually(lambda: registered(link, number) is None, NOTICED)
        assert reads(link, number, DeviceState.NOT_INUSE)
        await eventually(lambda: registered(link, other) is False, NOTICED)
        await phone.register()
        await eventually(lambda: registered(link, number), NOTICED)
        assert reads(link, number, DeviceState.NOT_INUSE)
        await phone.register(0)
        await eventually(lambda: registered(link, number) is False, NOTICED)


def registered(link: Link, number: str) -> bool | None:
    """As presence tells it."""
    view = CallServerView(link.states, link.contacts, link.presences, link.mapping)
    return compose_item(stored_extension(number), None, view).registered
