"""What must hold of each follower: at all times, and once the faults are over."""

from __future__ import annotations

import asyncio
from collections import deque

from service.bus.collector import MAX_SNAPSHOTS
from service.bus.copies import MAX_COLLECTORS
from service.bus.entries import TABLES, keys, read
from service.bus.nonces import MAX_NONCES
from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.models import Extension, NotLive
from tests.simulation.asterisk import Asterisk
from tests.simulation.bus.broker import Broker
from tests.simulation.bus.machines import DEADLINE, CollectorMachine, FollowerMachine
from tests.simulation.link.checkers import SLACK, Checkers
from tests.simulation.world import World

SURE = 4.0
"""Seconds after which a follower shows what is live, if it hears a collector whose link is current."""
NOTICED_WITHIN = 0.4
"""Seconds beyond the deadline within which a follower knows that it hears no collector."""
SNAPSHOTS_PER_SECOND = 6
"""Snapshots of one collector that a follower begins at most: one each 0.2 s, and one more after a lost connection."""


class FollowerChecks(Checkers):
    """Compares what a follower shows with Asterisk, and with what it must know by what it hears."""

    def __init__(
        self, machine: FollowerMachine, asterisk: Asterisk, world: World, broker: Broker, *, managed: bool
    ) -> None:
        super().__init__(machine.server, asterisk, world.uptime, DEADLINE, managed=managed)  # type: ignore[arg-type]
        self.machine = machine
        self._world = world
        self._broker = broker
        self._begun: deque[tuple[float, int, int]] = deque()
        """The last second: the time, the snapshots begun until then, and the copies."""

    def _since(self) -> float:
        """A follower's state holds within the deadline: no clock but the world's is asked."""
        return self._clock() - DEADLINE - SLACK

    # --- at all times --------------------------------------------------------------------------------------------

    def check_bus(self, extension: Extension, collectors: list[CollectorMachine]) -> None:
        """Check why nothing is live, that it is live if it can be, and that all is bounded."""
        now = asyncio.get_running_loop().time()
        machine = self.machine
        reading = machine.server.read(extension)
        calm_since = max(machine.started_at, machine.woken_at)
        heard_at = max(machine.end.heard_at, calm_since)
        if now - heard_at > DEADLINE + NOTICED_WITHIN and reading.reason is not NotLive.BUS:
            self._lie(f"{machine.name} has heard nobody for {now - heard_at:.3f} s and reads {reading}")
        if not machine.server.states.current:
            for collector in collectors:
                since = self.heard_since(collector)
                if now - since > SURE:
                    self._lie(
                        f"{machine.name} is {machine.server.states.freshness.value}, and has heard {collector.name}, "
                        f"whose link is fresh, for {now - since:.3f} s"
                    )
        self._check_bounds(now)

    def heard_since(self, collector: CollectorMachine) -> float:
        """Time of the loop since which this follower hears a collector whose link is fresh, without any trouble."""
        machine = self.machine
        clear = self._broker.clear_since(machine.end, collector.end)
        return max(clear, collector.fresh_since, machine.started_at, machine.woken_at)

    def _check_bounds(self, now: float) -> None:
        follower = self.machine.follower
        if len(follower.replicas) > MAX_COLLECTORS or len(follower._nonces._sent) > MAX_NONCES:
            self._lie(
                f"{self.machine.name} keeps {len(follower.replicas)} copies, {len(follower._nonces._sent)} nonces"
            )
        begun = self._begun
        begun.append((now, follower.snapshots.begun, len(follower.replicas)))
        while begun[0][0] < now - 1.0:
            begun.popleft()
        made = begun[-1][1] - begun[0][1]
        most = max(count for _, _, count in begun) + 1
        if made > SNAPSHOTS_PER_SECOND * most:
            self._lie(f"{self.machine.name} began {made} snapshots within a second")

    # --- at rest -------------------------------------------------------------------------------------------------

    def wrongs_of_bus(
        self, extensions: list[Extension], over_at: float, collectors: list[CollectorMachine]
    ) -> list[str]:
        """What is not as it is in Asterisk, or not as the collector has it, after the moment of the world's clock."""
        clock = self.machine.clock
        confirmed_after = over_at + clock() - self._world.monotonic()
        if wrong := self.wrongs(extensions, confirmed_after, lost=False):
            return [f"{self.machine.name}: {each}" for each in wrong]
        shown = self.machine.follower.shown
        for collector in collectors:
            if collector.name == shown:
                return [f"{self.machine.name}: {each}" for each in differing(self.machine.server, collector.link)]
        return [f"{self.machine.name} shows {shown}, which is gone"]


def differing(one: CallServer, other: CallServer) -> list[str]:
    """The entries of two maps that are not the same."""
    return [
        f"{table} {key}: {read(one, table, key)} instead of {read(other, table, key)}"
        for table in TABLES
        for key in sorted({*keys(one, table), *keys(other, table)})
        if read(one, table, key) != read(other, table, key)
    ]


def check_collector(machine: CollectorMachine) -> str | None:
    """What is unbounded in a collector; None if nothing is."""
    if len(machine.collector._snapshots) > MAX_SNAPSHOTS:
        return f"{machine.name} composes {len(machine.collector._snapshots)} snapshots"
    live = machine.link.states.freshness is Freshness.LIVE
    if live is not bool(machine.collector._published["main"].epoch):
        return f"{machine.name} has the epoch {machine.collector._published['main'].epoch!r}, live: {live}"
    return None
