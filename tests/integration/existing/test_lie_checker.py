"""Whatever happens to an Asterisk that was there before: each device and queue is as Asterisk says, or not live."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from local.baresip import Phone
from service.ami.link import Link
from service.domain.combined_state import combined_state
from service.domain.models import DeviceState
from tests.support import queues
from tests.support.ami import Ami
from tests.support.cutter import Cutter, cutting
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.existing.watching import administering, imported
from tests.support.links import Watch, is_live, live

IN_TIME = 30.0


@dataclass(frozen=True)
class Call:
    """Who calls a queue, and the member that answers."""

    caller: str
    queue_number: str
    queue: str
    member: str
    interface: str
    number: str


CALLS = {
    "freepbx_like": Call("1003", "600", "600", "1001", "Local/1001@from-queue/n", "1001"),
    "mikopbx_like": Call("204", "500", "QUEUE-1A2B3C", "201", "Local/201@internal/n", "201"),
    "vanilla_like": Call("1009", "500", "office", "alice", "PJSIP/alice", "1005"),
    "chan_sip_like": Call("1001", "500", "office", "1003", "SIP/1003", "1003"),
}


@pytest.fixture(params=CALLS)
def shaped(request: pytest.FixtureRequest) -> tuple[ExistingPbx, Call]:
    return request.getfixturevalue(request.param), CALLS[request.param]


async def no_lie(link: Link, pbx: ExistingPbx, ami: Ami) -> None:
    """Wait until the link is live and says of each device, each queue and each extension what Asterisk says."""

    async def agrees() -> bool:
        if not is_live(link):
            return False
        wrong.clear()
        said = await ami.device_states()
        told = {device: state.name for device, state in link.states.items()}
        for device in told.keys() - said.keys():  # Asterisk lists a device once it has changed; it answers for all
            said[device] = await ami.value(f"DEVICE_STATE({device})")
        wrong.update({device: (told.get(device), said[device]) for device in said if told.get(device) != said[device]})
        if queues.told(link) != (summaries := await ami.queue_summaries()):
            wrong["queues"] = (queues.told(link), summaries)
        for number, devices in pbx.shape.devices.items():
            extension = imported(pbx, number)
            reading, mapped = link.read(extension), link.devices_of(extension)
            if mapped != devices or not reading.live or not said.keys() >= set(devices):
                wrong[number] = (mapped, reading)
            elif reading.state is not combined_state(DeviceState[said[device]] for device in devices):
                wrong[number] = (reading, [said[device] for device in devices])
        if differing := await link.hint_comparison._find([key for key, _ in link.hints.items()]):
            wrong["hints"] = differing
        return not wrong

    wrong: dict[str, object] = {}
    try:
        await eventually(agrees, IN_TIME)
    except AssertionError:
        raise AssertionError(f"live: {is_live(link)}; told and said: {wrong}") from None


@contextlib.asynccontextmanager
async def following(pbx: ExistingPbx, watch: Watch) -> AsyncIterator[tuple[Link, Ami, Cutter]]:
    """A link with all extensions of the PBX, through a line that can be cut."""
    want = tuple(imported(pbx, number) for number in pbx.shape.devices)
    async with cutting(pbx.asterisk.config.ami_port) as cutter, administering(pbx) as ami:
        link = watch(pbx, port=cutter.port, want=want, managed=False)
        await live(link)
        await no_lie(link, pbx, ami)
        yield link, ami, cutter


async def test_while_phones_come_ring_talk_hold_pause_and_go(shaped: tuple[ExistingPbx, Call], watch: Watch) -> None:
    pbx, call = shaped
    device, caller_device = (pbx.shape.phone(name).device for name in (call.member, call.caller))
    async with following(pbx, watch) as (link, ami, _):
        with pbx.phone(call.caller) as caller, pbx.phone(call.member) as member:
            for phone in (caller, member):
                await asyncio.to_thread(phone.wait_registered)
                await no_lie(link, pbx, ami)
            await pause(ami, call, "true")
            await no_lie(link, pbx, ami)
            caller.dial(call.queue_number)
            await waiting(link, call, 1)
            await no_lie(link, pbx, ami)
            await pause(ami, call, "false")
            await asyncio.to_thread(member.wait_for, "CALL_INCOMING")
            await becomes(link, device, DeviceState.RINGING)
            await no_lie(link, pbx, ami)
            for change, changed, state in (
                (member.answer, device, DeviceState.INUSE),
                (caller.hangup, device, DeviceState.NOT_INUSE),
                (lambda: caller.dial(call.number), device, DeviceState.RINGING),
                (member.answer, device, DeviceState.INUSE),
                (member.hold, caller_device, DeviceState.ONHOLD),  # Asterisk says it of who is put on hold
                (member.resume, caller_device, DeviceState.INUSE),
                (caller.hangup, device, DeviceState.NOT_INUSE),
            ):
                change()
                await becomes(link, changed, state)
                await no_lie(link, pbx, ami)
            await waiting(link, call, 0)
        await no_lie(link, pbx, ami)


async def pause(ami: Ami, call: Call, paused: str) -> None:
    answer = await ami.ask("QueuePause", Queue=call.queue, Interface=call.interface, Paused=paused)
    assert answer["Response"] == "Success", answer


async def becomes(link: Link, device: str, state: DeviceState) -> None:
    """Wait until a device has this state: what the phone did has got here."""
    await eventually(lambda: link.states.get(device) is state, IN_TIME, f"{device} is {state}")


async def waiting(link: Link, call: Call, callers: int) -> None:
    """Wait until so many calls are in the queue."""

    def there() -> bool:
        known = link.queues
        return known is not None and any(
            summary.name == call.queue and summary.callers == callers for summary in known.summaries().values()
        )

    await eventually(there, IN_TIME)


async def test_while_it_is_reloaded_cut_and_killed(shaped: tuple[ExistingPbx, Call], watch: Watch) -> None:
    pbx, call = shaped
    async with following(pbx, watch) as (link, ami, cutter):
        member = pbx.phone(call.member)
        await asyncio.to_thread(member.start)
        try:
            await asyncio.to_thread(member.wait_registered)
            await no_lie(link, pbx, ami)
            for command in ("module reload res_pjsip.so", "dialplan reload", "queue reload all", "manager reload"):
                await asyncio.to_thread(pbx.asterisk.rx, command)
                await no_lie(link, pbx, ami)
            for _ in range(3):
                cutter.cut()
                await eventually(lambda: not is_live(link))
                await no_lie(link, pbx, ami)
            pbx.asterisk.kill()
            await eventually(lambda: not is_live(link))
            assert not any(link.read(imported(pbx, number)).live for number in pbx.shape.devices)
            await asyncio.to_thread(pbx.asterisk.start)
            await asyncio.to_thread(pbx.asterisk.wait_ready)
            async with administering(pbx) as again:
                await no_lie(link, pbx, again)
                await asyncio.to_thread(member.kill)
                await again_started(pbx, call, link, again)
        finally:
            await asyncio.to_thread(member.kill)


async def again_started(pbx: ExistingPbx, call: Call, link: Link, ami: Ami) -> None:
    """A phone registers at the Asterisk that came back."""
    phone: Phone = pbx.phone(call.member)
    with phone:
        await asyncio.to_thread(phone.wait_registered)
        await no_lie(link, pbx, ami)
    await no_lie(link, pbx, ami)
