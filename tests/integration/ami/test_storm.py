"""Convergence: after any storm of changes, with the line cut in between, the map is what Asterisk lists. Every time."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator

import pytest

from local.baresip import Phone, PhoneError
from service.ami.link import Link
from service.cli.demo import SIP_PASSWORD
from service.domain.combined_state import combined_state, extension_status
from service.domain.models import DeviceState, Extension
from tests.support.ami import Ami, Answer, logged_in
from tests.support.cutter import Cutter, cutting
from tests.support.dialplan import CONTEXT, hint_statuses, hinted
from tests.support.eventually import eventually
from tests.support.links import Watch, agrees, live, storm
from tests.support.pbx import Pbx
from tests.support.sizes import Record, size

EVENTS = size("events", 10_000, 1_000_000)
PIPELINED = size("pipelined", 500, 5_000)
A_MOMENT = 5.0
"""Seconds after a Pong within which the last event must have come that is older: milliseconds, on an idle machine."""
"""Changes that are sent at once; after them there is rest."""
DEVICES = [f"Custom:storm{number}" for number in range(100)]
STATES = ("NOT_INUSE", "INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD", "UNAVAILABLE", "INVALID")
OTHER = "70001"
BOTH = Extension("71100", "main", True, None, "71100")
"""It has no phone of its own: its hint names the two that call each other."""
HINTS = {f"720{number:02}": f"{DEVICES[number]}&{DEVICES[-1 - number]}" for number in range(50)}
HINTS[BOTH.number] = f"PJSIP/12342&PJSIP/{OTHER}"


class Phones:
    """Two phones that come, call each other and go, over and over."""

    def __init__(self, pbx: Pbx) -> None:
        self._pbx = pbx
        self.calls = self.failed = 0
        self.stopping = False

    async def run(self) -> None:
        while not self.stopping:
            try:
                await asyncio.to_thread(self._one_call)
                self.calls += 1
            except PhoneError:  # a reload in the middle of it
                self.failed += 1

    def _one_call(self) -> None:
        with self._pbx.phone("12342", SIP_PASSWORD) as caller, self._pbx.phone(OTHER, f"secret-{OTHER}") as callee:
            caller.wait_registered()
            callee.wait_registered()
            caller.dial(OTHER)
            callee.wait_for("CALL_INCOMING")
            callee.answer()
            caller.wait_for("CALL_ESTABLISHED")
            self._end(caller, callee)

    def _end(self, caller: Phone, callee: Phone) -> None:
        random.choice((caller.hangup, callee.hangup, caller.kill, lambda: None))()


async def trouble(pbx: Pbx, cutter: Cutter) -> None:
    """The line is cut, held or left alone, or Asterisk reloads, at moments of chance."""
    while True:
        await asyncio.sleep(random.uniform(0, 0.1))
        what = random.randrange(6)
        if what == 0:
            cutter.cut()
        elif what == 1:
            cutter.cut_after(len(cutter.said) + random.randrange(20_000))
        elif what == 2:
            cutter.hold()
            await asyncio.sleep(random.uniform(0, 0.2))
            cutter.resume()
        elif what == 3:
            await asyncio.to_thread(pbx.asterisk.rx, "module reload res_pjsip.so")
        elif what == 4:
            await asyncio.to_thread(pbx.asterisk.rx, "dialplan reload")


async def hints_agree(link: Link, ami: Ami) -> None:
    """Wait until Asterisk's own status of each hint is the link's, and what the states of its devices give."""
    told = await hint_statuses(ami)
    assert told.keys() == HINTS.keys()

    def ours(number: str) -> tuple[int | None, int]:
        states = [link.states.get(device) or DeviceState.UNKNOWN for device in HINTS[number].split("&")]
        return link.hints.status((number, CONTEXT)), extension_status(combined_state(states))

    del told[BOTH.number]  # its phones go on
    await eventually(lambda: all(ours(number) == (status, status) for number, status in told.items()))


async def calm(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def hints(stormy: Pbx) -> Iterator[None]:
    with hinted(stormy, HINTS):
        yield


@pytest.mark.usefixtures("hints")
@pytest.mark.timeout(300 + EVENTS // 500)
async def test_at_rest_the_map_is_what_asterisk_lists_after_any_storm(
    stormy: Pbx, watch: Watch, record_property: Record
) -> None:
    await stormy.database.execute(
        "insert into extensions (extension, secret, call_server, profile) values ($1, $2, 'main', 'sip')",
        OTHER,
        f"secret-{OTHER}",
    )
    phones, began, rests = Phones(stormy), time.monotonic(), 0
    async with cutting(stormy.asterisk.config.ami_port) as cutter, storm(stormy) as ami:
        link = watch(stormy, port=cutter.port, want=("12342", "12343", OTHER, BOTH))
        await live(link)
        calling = asyncio.create_task(phones.run())
        done = 0
        while done < EVENTS:
            harm = asyncio.create_task(trouble(stormy, cutter))
            changes = [(random.choice(DEVICES), random.choice(STATES)) for _ in range(PIPELINED)]
            await ami.set_states(changes)
            await asyncio.sleep(random.uniform(0, 0.2))
            await calm(harm)
            cutter.resume()
            # Phones go on: what they change is compared at the end, when they are gone.
            last = dict(changes)
            listed = {device: state for device, state in (await ami.device_states()).items() if device in last}
            assert listed == last
            await eventually(
                lambda: listed.items() <= {name: state.name for name, state in link.states.items()}.items()  # noqa: B023
            )
            await hints_agree(link, ami)
            done, rests = done + PIPELINED, rests + 1
        phones.stopping = True
        await calling
        await agrees(link, ami, within=30)
        assert link.devices_of(BOTH) == tuple(HINTS[BOTH.number].split("&"))
        both = link.read(BOTH)
        assert both.live
        assert extension_status(both.state) == (await hint_statuses(ami))[BOTH.number]
        assert await link.hint_comparison._find([key for key, _ in link.hints.items()]) == set()
        assert link.hint_comparison.differences == 0
        facts = link.facts
    record_property(
        "measured",
        f"{done} changes, {rests} rests, {phones.calls} calls ({phones.failed} failed), {facts.events} events, "
        f"{facts.failures} lines lost, {facts.resynchronisations} snapshots, {facts.corrections} corrections, "
        f"{time.monotonic() - began:.0f} s",
    )
    assert facts.failures > 0
    assert phones.calls > 0


async def test_what_follows_the_pong_of_a_snapshot_is_at_most_a_moment_older_and_ends_newer(
    stormy: Pbx, record_property: Record
) -> None:
    """The order that the snapshot rule builds on, without the service.

    Asterisk fills the list before it queues the event, so in a storm an event whose change the list has already may
    follow even the Pong; but only one that is milliseconds old, and its device's newest event follows too.
    """
    steps = ("INUSE", "BUSY", "RINGING", "RINGINUSE", "ONHOLD", "NOT_INUSE")
    config = stormy.asterisk.config
    async with storm(stormy) as ami, logged_in(config.ami_port, "monitor", config.monitor_secret) as monitor:
        late = newer = 0
        for number in range(15):
            devices = [f"Custom:round{number}device{device}" for device in range(200)]
            loading = asyncio.create_task(ami.set_states([(device, step) for step in steps for device in devices]))
            await asyncio.sleep(random.uniform(0, 0.03))
            listed = await monitor.device_states()
            assert (await monitor.ask("Ping"))["Ping"] == "Pong"
            ponged, newest = time.monotonic(), {}
            while (event := await soon(monitor)) is not None or not loading.done():
                if event is None:
                    continue
                device, state = event.get("Device", ""), event.get("State", "")
                newest[device] = state
                if device in listed and steps.index(state) <= steps.index(listed[device]):
                    late += 1
                    assert time.monotonic() < ponged + A_MOMENT
                else:
                    newer += 1
            await loading
            assert set(newest.values()) <= {steps[-1]}
    told = f"behind the Pongs came {newer} newer events and {late} that the list had already, each at once"
    record_property("measured", told)
    assert newer > 0, "no snapshot was taken in the middle of a storm"


async def soon(ami: Ami) -> Answer | None:
    """The next event, or None when there is none for a while."""
    try:
        async with asyncio.timeout(0.3):
            return await ami.read()
    except TimeoutError:
        return None
