"""States of extensions whose devices a hint names, on Asterisks that were there before: never the hint's own state."""

from __future__ import annotations

import asyncio

from local.baresip import Phone
from service.domain.models import DeviceState
from tests.support.ami import Ami
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.existing.watching import administering, hint_status, shows, state, watched
from tests.support.links import Watch, live

STATUS_TEXTS = {
    "Not in use": "Idle",
    "In use": "InUse",
    "Busy": "Busy",
    "Unavailable": "Unavailable",
    "Ringing": "Ringing",
    "Ring+Inuse": "InUse&Ringing",
    "On Hold": "Hold",
}
"""Asterisk's word for a hint's status, by state."""


async def started(phone: Phone) -> Phone:
    await asyncio.to_thread(phone.start)
    await asyncio.to_thread(phone.wait_registered)
    return phone


async def test_where_a_hint_is_falsely_idle_the_state_is_unavailable(
    small_freepbx_like: ExistingPbx, watch: Watch
) -> None:
    """A phone that is off beside a DND that is off: so it is with nearly every FreePBX."""
    pbx = small_freepbx_like
    link = watched(watch, pbx, "1003", "1008")
    async with administering(pbx) as ami:
        await live(link)
        for value in ("BUSY", "NOT_INUSE"):
            await ami.set_states([("Custom:DND1008", value)])
        await eventually(lambda: link.states.get("Custom:DND1008") is DeviceState.NOT_INUSE)
        assert await hint_status(ami, "1008", pbx.shape.hint_context) == "Idle"
        await shows(link, pbx, {"1008": "Unavailable", "1003": "Unavailable"})


async def test_where_a_hint_of_a_device_that_was_never_set_is_falsely_idle_the_state_is_unknown(
    small_freepbx_like: ExistingPbx, watch: Watch
) -> None:
    pbx = small_freepbx_like
    await asyncio.to_thread(pbx.asterisk.rx, "dialplan add extension 1777,hint,Custom:never into ext-local")
    await asyncio.to_thread(pbx.asterisk.rx, "dialplan add extension 1778,hint,SIP/nobody&Custom:never into ext-local")
    link = watched(watch, pbx, "1777", "1778")
    async with administering(pbx) as ami:
        await live(link)
        for number in ("1777", "1778"):
            assert await hint_status(ami, number, "ext-local") == "Idle"
            assert state(link, pbx, number) == "Unknown ?"
    await asyncio.to_thread(pbx.asterisk.rx, "dialplan remove extension 1777@ext-local")
    await asyncio.to_thread(pbx.asterisk.rx, "dialplan remove extension 1778@ext-local")


async def test_two_phones_of_a_number_are_one_state_while_they_ring_talk_hold_and_go(
    vanilla_like: ExistingPbx, watch: Watch
) -> None:
    pbx = vanilla_like
    link = watched(watch, pbx, "1005", "1008", "1009", "1100")

    async def agree(ami: Ami, states: dict[str, str]) -> None:
        """Each state is this one, and Asterisk's own hints, which hold no `Custom:` device here, say the same."""
        await shows(link, pbx, states)
        for number in states:
            expected = STATUS_TEXTS[state(link, pbx, number)]
            assert await hint_status(ami, number, pbx.shape.hint_context) == expected

    async with administering(pbx) as ami:
        await live(link)
        await agree(ami, {"1005": "Unavailable", "1008": "Unavailable", "1100": "Unavailable"})
        alice = await started(pbx.phone("alice"))
        await agree(ami, {"1005": "Not in use", "1008": "Unavailable", "1100": "Not in use"})
        kitchen, caller = await started(pbx.phone("kitchen.2")), await started(pbx.phone("1009"))
        await agree(ami, {"1005": "Not in use", "1008": "Not in use", "1100": "Not in use"})
        await asyncio.to_thread(caller.dial, "1100")
        await agree(ami, {"1005": "Ringing", "1008": "Ringing", "1100": "Ringing"})
        await asyncio.to_thread(alice.answer)
        await agree(ami, {"1005": "In use", "1008": "Not in use", "1100": "In use"})
        await asyncio.to_thread(caller.dial, "1008")
        await agree(ami, {"1005": "In use", "1008": "Ringing", "1100": "Ring+Inuse"})
        await asyncio.to_thread(kitchen.hangup)
        await agree(ami, {"1005": "In use", "1008": "Not in use", "1100": "In use"})
        await asyncio.to_thread(kitchen.stop)
        await agree(ami, {"1005": "In use", "1008": "Unavailable", "1100": "In use"})
        await asyncio.to_thread(alice.hangup)
        await agree(ami, {"1005": "Not in use", "1008": "Unavailable", "1100": "Not in use"})
        await asyncio.to_thread(alice.stop)
        await agree(ami, {"1005": "Unavailable", "1008": "Unavailable", "1100": "Unavailable"})
        await asyncio.to_thread(caller.stop)


async def test_a_device_of_chan_sip_and_one_of_iax2_have_a_state_without_a_contact(
    chan_sip_like: ExistingPbx, watch: Watch
) -> None:
    pbx = chan_sip_like
    link = watched(watch, pbx, "1001", "1003", "1007")
    await live(link)
    await shows(link, pbx, {"1001": "Unavailable", "1003": "Unavailable", "1007": "Unavailable"})
    desk = await started(pbx.phone("1003"))
    await shows(link, pbx, {"1003": "Not in use", "1001": "Unavailable"})
    both = await started(pbx.phone("1002")), await started(pbx.phone("1001"))
    await shows(link, pbx, {"1003": "Not in use", "1001": "Not in use"})
    await asyncio.to_thread(desk.dial, "1001")
    await shows(link, pbx, {"1003": "In use", "1001": "Ringing"})
    await asyncio.to_thread(both[0].answer)
    await shows(link, pbx, {"1003": "In use", "1001": "In use"})
    await asyncio.to_thread(both[0].hangup)
    await shows(link, pbx, {"1003": "Not in use", "1001": "Not in use"})
    for phone in (*both, desk):
        await asyncio.to_thread(phone.stop)
    await shows(link, pbx, {"1001": "Unavailable", "1003": "Unavailable", "1007": "Unavailable"})
