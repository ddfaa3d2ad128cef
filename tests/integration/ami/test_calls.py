"""Calls through the real dialplan: who they say that they are from, how many there may be, what can be dialled."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from local.baresip import Event
from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from tests.support.ami import logged_in
from tests.support.eventually import eventually
from tests.support.pbx import Pbx

EXECUTE = "insert into extensions (extension, secret, call_server, profile) values ($1, 'secret-secret', 'main', 'sip')"


@pytest.mark.parametrize(
    ("fullname", "shown"),
    [
        ("Bea", "Bea"),
        ('Zoë "Q" <sip:1@evil>; ^3B \\ 100%', "Zoë 'Q' (sip:1@evil); ^3B / 100%"),
        ("Bea\r\nFrom: <sip:1@evil>\u202e", "Bea From: (sip:1@evil)"),
        ("山田" * 30_000, "山田" * 13),
        ("", "dnhai"),
        (" ", ""),
    ],
)
async def test_a_callee_sees_the_callers_own_number_and_name(pbx: Pbx, fullname: str, shown: str) -> None:
    await pbx.database.execute(
        "update users set first_name = null, last_name = null, fullname = $1 where user_id = 1795", fullname
    )
    called = await call(pbx, forged='"12343 Bea" ')
    assert called.peer.split("@")[0] == "sip:12342"
    assert called.peer_name.replace("  ", " ") == shown


async def call(pbx: Pbx, forged: str) -> Event:
    """What 12343 hears of a call from 12342, which calls itself something."""
    with pbx.phone("12342", SIP_PASSWORD, name=forged) as caller, pbx.phone("12343", SECOND_SIP_PASSWORD) as callee:
        for phone in (caller, callee):
            await asyncio.to_thread(phone.wait_registered)
        caller.dial("12343")
        return await asyncio.to_thread(callee.wait_for, "CALL_INCOMING")


@pytest.fixture
async def odd(pbx: Pbx) -> AsyncIterator[None]:
    """Extensions whose numbers mean something else to Asterisk."""
    for number in ODD:
        await pbx.database.execute(EXECUTE, number)
    yield
    await pbx.database.execute("delete from extensions where extension = any($1)", list(ODD))


ODD = ("h", "t", "12-34", "-5", "_7")


@pytest.mark.parametrize("number", ODD)
@pytest.mark.usefixtures("odd")
async def test_every_number_can_be_dialled_and_calls_under_its_own(pbx: Pbx, number: str) -> None:
    with pbx.phone("12343", SECOND_SIP_PASSWORD) as phone, pbx.phone(number, "secret-secret") as other:
        for each in (phone, other):
            await asyncio.to_thread(each.wait_registered)
        for caller, callee in ((phone, other), (other, phone)):
            caller.dial(callee.extension)
            heard = await asyncio.to_thread(callee.wait_for, "CALL_INCOMING")
            assert heard.peer.split("@")[0] == f"sip:{caller.extension}"
            await asyncio.to_thread(caller.wait_for, "CALL_RINGING")
            caller.hangup()
            await asyncio.to_thread(callee.wait_for, "CALL_CLOSED")
            callee.forget()
            caller.forget()


SPECIAL = ("h", "i", "t", "T", "s", "o", "a", "e", "fax")


async def test_asterisks_special_names_are_nothing_where_calls_are(pbx: Pbx) -> None:
    """`h` is looked up where a call ends. In the context where calls start all of them may be numbers."""
    config = pbx.asterisk.config
    async with logged_in(config.ami_port, "monitor", config.monitor_secret) as ami:
        for context in ("bounded", "connected"):
            for name in (*SPECIAL, "to_1"):
                answer = await ami.ask("ShowDialPlan", Context=context, Extension=name)
                assert (answer["Response"] == "Success") is (name == "to_1"), (context, name, answer)


async def test_a_phone_has_four_calls_at_once_and_echoes_are_few(pbx: Pbx) -> None:
    heard: list[Event] = []
    phones = [
        pbx.phone("12342", SIP_PASSWORD, calls=20, on_event=heard.append),
        pbx.phone("12343", SECOND_SIP_PASSWORD, calls=20, on_event=heard.append),
    ]

    def count(type_: str) -> int:
        return sum(event.type == type_ for event in heard)

    async def closed(calls: int) -> None:
        await eventually(lambda: count("CALL_CLOSED") == calls)

    with phones[0], phones[1]:
        for phone, refused, established in ((phones[0], 6, 4), (phones[1], 15, 5)):
            await asyncio.to_thread(phone.wait_registered)
            for _ in range(10):
                phone.dial("*43")
            await closed(refused)
            assert count("CALL_ESTABLISHED") == established
        assert {event.detail for event in heard if event.type == "CALL_CLOSED"} == {"486 Busy Here"}
    await no_channels(pbx)


@pytest.mark.parametrize(("number", "longest"), [("*43", 300), ("*55", 14_400), ("12343", 14_400)])
async def test_every_call_has_an_end(pbx: Pbx, number: str, longest: int) -> None:
    config = pbx.asterisk.config

    async def ends_within() -> float:
        await ami.ask("Status")
        while (message := await ami.read()).get("Event") != "StatusComplete":
            if message.get("CallerIDNum") == "12342" and message["Context"] == "connected":
                return int(message["TimeToHangup"]) - time.time()
        return 0

    with pbx.phone("12342", SIP_PASSWORD) as caller, pbx.phone("12343", SECOND_SIP_PASSWORD) as callee:
        for phone in (caller, callee):
            await asyncio.to_thread(phone.wait_registered)
        caller.dial(number)
        async with logged_in(config.ami_port, "monitor", config.monitor_secret) as ami:
            assert longest - 60 < await eventually(ends_within) <= longest
    await no_channels(pbx)


async def no_channels(pbx: Pbx) -> None:
    config = pbx.asterisk.config

    async def none() -> bool:
        return (await ami.ask("CoreStatus"))["CoreCurrentCalls"] == "0"

    async with logged_in(config.ami_port, "monitor", config.monitor_secret) as ami:
        await eventually(none)
