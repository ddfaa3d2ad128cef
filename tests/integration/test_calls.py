"""Calls through the real dialplan: how many there may be, and for how long."""

from __future__ import annotations

import asyncio
import time

import pytest

from local.sip import Event
from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from tests.support.ami import logged_in
from tests.support.eventually import eventually
from tests.support.pbx import Pbx

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
        await eventually(lambda: count("CALL_CLOSED") == calls, 20)

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
