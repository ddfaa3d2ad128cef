"""The line to Asterisk is cut and held at every byte that could matter: never live without it, then healed."""

from __future__ import annotations

import random
from collections.abc import Iterator

from service.domain.models import NotLive
from tests.support.ami import Ami
from tests.support.cutter import cutting
from tests.support.eventually import eventually
from tests.support.links import Watch, agrees, is_live, live, storm
from tests.support.pbx import Pbx

DEVICES = [f"Custom:cut{number}" for number in range(30)]
MARKS = (
    b"Asterisk Call Manager",
    b"Response: Success",
    b"Event: FullyBooted",
    b"EventList: start",
    b"Event: DeviceStateChange",
    b"Event: DeviceStateListComplete",
    b"Ping: Pong",
)


def offsets(said: bytes) -> Iterator[int]:
    """Before, in and behind each thing that Asterisk says while a link is made, and anywhere."""
    for mark in MARKS:
        at = said.index(mark)
        end = said.index(b"\r\n\r\n" if mark is not MARKS[0] else b"\r\n", at)
        yield from (at, at + len(mark) // 2, end, end + 1, end + 3, end + 4)
    yield from random.sample(range(len(said)), 15)


async def set_devices(ami: Ami, *states: str) -> None:
    await ami.set_states((device, state) for state in states for device in DEVICES)


async def test_a_line_cut_at_any_byte_of_its_beginning_is_made_again(stormy: Pbx, watch: Watch) -> None:
    async with storm(stormy) as ami, cutting(stormy.asterisk.config.ami_port) as cutter:
        await set_devices(ami, "INUSE")
        link = watch(stormy, port=cutter.port)
        await live(link)
        for number, offset in enumerate(offsets(bytes(cutter.said))):
            cutter.cut_after(offset)
            cutter.cut()
            await eventually(lambda: not is_live(link))
            await eventually(lambda: not cutter.armed, what=f"cut after {offset} bytes")
            await set_devices(ami, "BUSY" if number % 2 else "RINGING")
            await agrees(link, ami)


async def test_a_line_cut_in_an_event_or_between_events_leaves_no_half_change(stormy: Pbx, watch: Watch) -> None:
    async with storm(stormy) as ami, cutting(stormy.asterisk.config.ami_port) as cutter:
        link = watch(stormy, port=cutter.port)
        await live(link)
        for extra in (1, 20, 60, 85, 90, 91, 200, 1000, *random.sample(range(4000), 10)):
            cutter.cut_after(len(cutter.said) + extra)
            await set_devices(ami, "INUSE", "NOT_INUSE", "ONHOLD")
            await eventually(lambda: not cutter.armed, what=f"cut {extra} bytes on")
            await agrees(link, ami)


async def test_a_line_that_goes_silent_is_not_live_and_heals_when_it_speaks(stormy: Pbx, watch: Watch) -> None:
    async with storm(stormy) as ami, cutting(stormy.asterisk.config.ami_port) as cutter:
        link = watch(stormy, port=cutter.port, deadline=1.0)
        await agrees(link, ami)
        cutter.hold()
        await set_devices(ami, "INUSE")
        await eventually(lambda: not is_live(link), 3)
        assert link.states.read(DEVICES[0]).reason is NotLive.SILENT
        await eventually(lambda: link.states.read(DEVICES[0]).reason is NotLive.DISCONNECTED)
        await set_devices(ami, "BUSY")
        cutter.resume()
        await agrees(link, ami)


async def test_a_short_silence_costs_nothing(stormy: Pbx, watch: Watch) -> None:
    async with storm(stormy) as ami, cutting(stormy.asterisk.config.ami_port) as cutter:
        link = watch(stormy, port=cutter.port, deadline=3.0)
        await agrees(link, ami)
        cutter.hold()
        await set_devices(ami, "INUSE", "RINGING")
        cutter.resume()
        await agrees(link, ami)
        assert link.facts.failures == 0


async def test_two_changes_of_one_device_in_one_read_end_as_the_last_one(stormy: Pbx, watch: Watch) -> None:
    async with storm(stormy) as ami, cutting(stormy.asterisk.config.ami_port) as cutter:
        link = watch(stormy, port=cutter.port, deadline=5.0)
        for states in (("INUSE", "NOT_INUSE"), ("BUSY", "RINGING", "BUSY"), ("ONHOLD", "INUSE", "RINGING")):
            await agrees(link, ami)
            cutter.hold()
            await set_devices(ami, *states)
            await eventually(lambda: cutter.held.count(f"{DEVICES[-1]}\r\n".encode()) == len(states))  # noqa: B023
            cutter.resume()
            await agrees(link, ami)
            assert {device.name for device in (link.states.read(name).state for name in DEVICES)} == {states[-1]}
