"""The model of a broker, as `service.bus.port` sees one, and of the connections to it.

Core NATS delivers at most once, in the order of one publisher to one subscriber. It makes no message twice, and none
overtakes another on one connection; a cluster that changes its routes may do both. The core must bear it anyhow, so
the model does it when a fault says so. What arrives is whole, and each queue is bounded: what does not fit is dropped.
"""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

from tests.simulation.bus.ends import CollectorEnd, End, FollowerEnd
from tests.simulation.bus.legs import MAX_HELD, SOON
from tests.simulation.world import World


class Broker:
    """The process between the ends. It keeps nothing but what it has not sent yet."""

    def __init__(self, world: World) -> None:
        self.chance = random.Random(f"{world.seed}:bus")
        self.running = True
        self.paused = False
        self.troubled_at = 0.0
        self.cut: set[tuple[str, str]] = set()
        """Pairs of which the first is not heard by the second: a route within a cluster is missing."""
        self._waiting: deque[Callable[[], None]] = deque(maxlen=MAX_HELD)
        self.followers: dict[str, FollowerEnd] = {}
        self.collectors: dict[str, CollectorEnd] = {}
        self.delivered = 0

    def add_follower(self, name: str) -> FollowerEnd:
        end = self.followers[name] = FollowerEnd(self, name, self.chance)
        return end

    def add_collector(self, name: str) -> CollectorEnd:
        end = self.collectors[name] = CollectorEnd(self, name, self.chance)
        return end

    def remove(self, name: str) -> None:
        """An end is gone for ever."""
        self.followers.pop(name, None)
        self.collectors.pop(name, None)

    def ends(self) -> list[End]:
        return [*self.followers.values(), *self.collectors.values()]

    # --- routing -----------------------------------------------------------------------------------------------

    def to_collectors(self, source: str, call_server: str, body: bytes, to: str | None) -> None:
        self._do(lambda: self._ask(source, call_server, body, to))

    def to_followers(self, source: str, call_server: str, body: bytes) -> None:
        self._do(lambda: self._tell(source, call_server, body))

    def to_follower(self, source: str, to: str, call_server: str, body: bytes) -> None:
        self._do(lambda: self._reply(source, to, call_server, body))

    def _ask(self, source: str, call_server: str, body: bytes, to: str | None) -> None:
        for name, end in self.collectors.items():
            if to in (None, name) and (source, name) not in self.cut:
                end.from_broker(call_server, source, body)

    def _tell(self, source: str, call_server: str, body: bytes) -> None:
        for name, end in self.followers.items():
            if (source, name) not in self.cut:
                end.from_broker(call_server, source, body)

    def _reply(self, source: str, to: str, call_server: str, body: bytes) -> None:
        end = self.followers.get(to)
        if end is not None and (source, to) not in self.cut:
            end.from_broker(call_server, source, body)

    def _do(self, work: Callable[[], None]) -> None:
        if self.paused or self._waiting:
            self._waiting.append(work)
        elif self.running:
            work()

    # --- faults ------------------------------------------------------------------------------------------------

    def trouble(self) -> None:
        self.troubled_at = asyncio.get_running_loop().time()

    def pause(self, paused: bool) -> None:
        """The process is stopped; it goes on with all that it has received meanwhile, in order."""
        self.trouble()
        self.paused = paused
        while self._waiting and not self.paused:
            self._waiting.popleft()()

    def kill(self) -> None:
        self.trouble()
        self.running = self.paused = False
        self._waiting.clear()
        for end in self.ends():
            end.reset()

    def start(self) -> None:
        self.trouble()
        self.running = True

    def clear_since(self, source: End, target: End) -> float:
        """Time of the loop since which two ends hear each other without any trouble; infinite while they do not."""
        legs = (*source.legs, *target.legs)
        if not (source.connected and target.connected and self.running) or self.paused or source.slow or target.slow:
            return float("inf")
        if (source.name, target.name) in self.cut or (target.name, source.name) in self.cut:
            return float("inf")
        if any(leg.held or leg.loss or leg.overtaking or leg.latency != SOON for leg in legs):
            return float("inf")
        late_until = max(leg.late_until for leg in legs)
        return max(self.troubled_at, source.troubled_at, target.troubled_at, late_until)
