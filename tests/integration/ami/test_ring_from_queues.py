"""A queue whose members are extensions with several phones: all ring, and one person takes one call."""

from __future__ import annotations

import asyncio

import pytest

from local.baresip import PhoneError
from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from tests.integration.ami.test_calls import no_channels
from tests.support.eventually import eventually
from tests.support.links import Watch, live
from tests.support.pbx import Pbx
from tests.support.queues import shows
from tests.support.several_phones import SECRET, make_extension, make_phones, ready
from tests.support.stored import stored_extension

MEMBER = "Local/12342@queue-members/n"
CALLER, SECOND_CALLER = "30001", "30002"


async def member_is(pbx: Pbx, status: str) -> None:
    """Wait until the queue itself says this of its member."""

    async def there() -> bool:
        shown = await asyncio.to_thread(pbx.asterisk.rx, "queue show demo")
        return any(MEMBER in line and f"({status})" in line for line in shown.splitlines())

    await eventually(there, what=f"{MEMBER} is {status}")


async def test_all_phones_of_a_member_ring_and_a_person_in_a_call_is_busy_on_all_of_them(
    pbx: Pbx, watch: Watch
) -> None:
    """Also on a phone that is younger than the hint, until a reload tells the hint of it."""
    await pbx.database.execute("update extensions set profile = 'sip' where extension = '12342'")
    await make_phones(pbx, "12342", "12342.k3f9")
    for number in (CALLER, SECOND_CALLER):
        await make_extension(pbx, number)
    link = watch(pbx, want=("12342",))
    await live(link)
    await member_is(pbx, "Unavailable")
    own, desk = pbx.phone("12342", SIP_PASSWORD), pbx.phone("12342.k3f9", SECRET)
    callers = [pbx.phone(number, SECRET) for number in (CALLER, SECOND_CALLER)]
    async with ready(pbx, [own, desk, *callers]):
        await member_is(pbx, "Not in use")
        await shows(link, logged_in=1, available=1)
        await eventually(lambda: "demo" in link.queues_of(stored_extension("12342")))
        callers[0].dial("*55")
        for phone in (own, desk):
            await asyncio.to_thread(phone.wait_for, "CALL_INCOMING")
        desk.answer()
        await asyncio.to_thread(callers[0].wait_for, "CALL_ESTABLISHED")
        await asyncio.to_thread(own.wait_for, "CALL_CLOSED")
        for phone in (own, desk):
            phone.forget()

        callers[1].dial("*55")
        await shows(link, callers=1)
        with pytest.raises(PhoneError, match="no CALL_INCOMING"):
            await asyncio.to_thread(own.wait_for, "CALL_INCOMING", timeout_s=6)  # more than the queue's `retry`
        await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")
        callers[0].hangup()
        for phone in (own, desk):
            await asyncio.to_thread(phone.wait_for, "CALL_INCOMING")
        await member_is(pbx, "Ringing")
        desk.answer()
        await member_is(pbx, "In use")
        await shows(link, logged_in=1, available=0)
        callers[1].hangup()
        await member_is(pbx, "Not in use")
    await member_is(pbx, "Unavailable")
    await no_channels(pbx)


async def test_a_queue_may_still_name_the_device_of_a_phone(pbx: Pbx) -> None:
    await asyncio.to_thread(pbx.asterisk.rx, "queue add member PJSIP/12343 to demo")
    await asyncio.to_thread(pbx.asterisk.rx, "queue pause member Local/12343@queue-members/n queue demo")
    agent, caller = phones = [pbx.phone("12343", SECOND_SIP_PASSWORD), pbx.phone(CALLER, SECRET)]
    async with ready(pbx, phones):
        caller.dial("*55")
        await asyncio.to_thread(agent.wait_for, "CALL_INCOMING")
        caller.hangup()
    await no_channels(pbx)
