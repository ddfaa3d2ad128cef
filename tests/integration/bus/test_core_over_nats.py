"""Collectors and followers over a real NATS server that dies and freezes under a storm: nothing live is ever old.

What the links keep is written by the test, which so knows the truth at each moment.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from signal import SIGCONT, SIGSTOP

import pytest

from local.nats import Nats
from service.bus.broker import Broker
from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.following import Following
from service.bus.nats_port import NatsCollectorPort, NatsFollowerPort
from service.clock import uptime
from service.domain.device_states import Freshness
from service.domain.models import DeviceState
from tests.support.eventually import eventually
from tests.unit.bus.world import DEADLINE, SERVER, WrittenCallServer

DEVICES = [f"PJSIP/{number}" for number in range(300)]
STATES = [DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.RINGING, DeviceState.UNAVAILABLE]
CHANGES_PER_TURN = 10
TURN = 0.01
"""Seconds between two turns of the storm: 1,000 changes a second."""
SLACK = 0.1
"""Seconds that a turn may take on a busy machine."""


@dataclass
class Storm:
    """The truth, the links that hear it, and the followers that are asked."""

    links: dict[str, WrittenCallServer] = field(default_factory=dict)
    servers: list[FollowedCallServer] = field(default_factory=list)
    tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    live: int = 0
    """Readings that were live."""
    unknown: int = 0
    changing: bool = True
    lies: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._random = random.Random(20)
        self._held = {device: [(uptime(), DeviceState.NOT_INUSE)] for device in DEVICES}

    def now(self) -> dict[str, DeviceState]:
        return {device: held[-1][1] for device, held in self._held.items()}

    async def blow(self) -> None:
        """Change, confirm and read until cancelled."""
        while True:
            for _ in range(CHANGES_PER_TURN if self.changing else 0):
                device, state = self._random.choice(DEVICES), self._random.choice(STATES)
                self._held[device].append((uptime(), state))
                for link in self.links.values():
                    link.states.apply(device, state)
            for link in self.links.values():
                link.states.confirm(uptime())
            self.read()
            await asyncio.sleep(TURN)

    def read(self) -> None:
        """Compare what each follower shows with what was true within the deadline."""
        now = uptime()
        for server in self.servers:
            for device in self._random.sample(DEVICES, 20):
                reading = server.states.read(device)
                if reading.reason is not None:
                    self.unknown += 1
                    continue
                self.live += 1
                if reading.state not in self._since(device, now - DEADLINE - SLACK):
                    self.lies.append(f"{device} {reading.state}")

    def _since(self, device: str, then: float) -> set[DeviceState]:
        held = self._held[device]
        while len(held) > 1 and held[1][0] <= then:
            held.pop(0)
        return {state for _, state in held}

    @property
    def all_live(self) -> bool:
        return all(server.states.freshness is Freshness.LIVE for server in self.servers)

    @property
    def all_unknown(self) -> bool:
        return all(server.states.read(DEVICES[0]).reason is not None for server in self.servers)

    async def agrees(self) -> None:
        """Wait until the followers show the truth."""
        await eventually(
            lambda: all(
                {device: server.states.read(device).state for device in DEVICES} == self.now()
                for server in self.servers
            )
        )


@contextlib.asynccontextmanager
async def blowing(nats: Nats) -> AsyncIterator[Storm]:
    """Two collectors and two followers over the server, all live, in a storm."""
    storm, broker, loop = Storm(), Broker((nats.server,)), asyncio.get_running_loop()
    for name in ("a", "b"):
        storm.links[name] = link = WrittenCallServer(uptime)
        link.become_live(storm.now())
        port = NatsCollectorPort(broker, [SERVER], name)
        collector = Collector([port], {SERVER: link}, {}, {}, call_soon=loop.call_soon)
        storm.tasks[name] = asyncio.create_task(collector.run())
    for number in range(2):
        server = FollowedCallServer(SERVER, deadline=DEADLINE)
        following = Following(NatsFollowerPort(broker, [SERVER]), {SERVER: server}, deadline=DEADLINE)
        storm.servers.append(server)
        storm.tasks[f"follower {number}"] = asyncio.create_task(following.run())
    storm.tasks["storm"] = asyncio.create_task(storm.blow())
    try:
        await eventually(lambda: storm.all_live)
        storm.unknown = 0
        yield storm
        assert not storm.lies
        assert storm.live > 1000
    finally:
        for task in storm.tasks.values():
            task.cancel()
        await asyncio.wait(storm.tasks.values(), timeout=5)


@contextlib.contextmanager
def frozen(nats: Nats) -> Iterator[None]:
    assert nats.process is not None
    nats.process.send_signal(SIGSTOP)
    try:
        yield
    finally:
        nats.process.send_signal(SIGCONT)


async def calm(storm: Storm) -> None:
    """End the storm: the followers come to show the last state of each device."""
    storm.tasks["storm"].cancel()
    await eventually(storm.tasks["storm"].done)
    for link in storm.links.values():
        link.states.confirm(uptime())
    await storm.agrees()


async def test_one_of_two_collectors_vanishes_and_nothing_is_unknown(nats: Nats) -> None:
    """Whichever it is: each follower may show the one or the other."""
    for name in ("a", "b"):
        async with blowing(nats) as storm:
            storm.tasks[name].cancel()
            await asyncio.sleep(2 * DEADLINE)
            assert storm.unknown == 0
            assert storm.all_live
            del storm.links[name]
            await calm(storm)


async def test_a_restart_of_the_server_makes_nothing_unknown_while_nothing_changes(nats: Nats) -> None:
    """A change that was missed is a gap, and a snapshot's time of nothing live."""
    async with blowing(nats) as storm:
        storm.changing = False
        await storm.agrees()
        nats.kill()
        nats.start()
        nats.wait_ready()
        await asyncio.sleep(2 * DEADLINE)
        assert storm.unknown == 0
        await calm(storm)


@pytest.mark.parametrize("how", ["killed", "frozen"])
async def test_an_outage_behind_a_storm_is_unknown_in_time_and_live_soon_after(nats: Nats, how: str) -> None:
    async with blowing(nats) as storm:
        started = time.monotonic()
        if how == "killed":
            nats.kill()
            await eventually(lambda: storm.all_unknown, DEADLINE + 1)
            assert time.monotonic() - started < DEADLINE + 0.5
            await asyncio.sleep(2)
            nats.start()
            nats.wait_ready()
        else:
            with frozen(nats):
                await eventually(lambda: storm.all_unknown, DEADLINE + 1)
                assert time.monotonic() - started < DEADLINE + 0.5
                await asyncio.sleep(5)
        back = time.monotonic()
        await eventually(lambda: storm.all_live, 3)
        assert time.monotonic() - back < 3
        await asyncio.sleep(DEADLINE)
        await calm(storm)
