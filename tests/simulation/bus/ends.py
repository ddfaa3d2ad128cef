"""The connections to the broker: the ports of followers and of collectors."""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.simulation.bus.legs import Leg

if TYPE_CHECKING:
    from tests.simulation.bus.broker import Broker

MAX_PENDING = 64
"""Messages that a slow end has not read, at most."""
RECONNECT = (0.1, 0.6)
"""Seconds until an end that has lost its connection tries again."""


class End:
    """One connection to the broker: the port of a follower, or of a collector."""

    received: Callable[[str, str, bytes], None]

    def __init__(self, broker: Broker, name: str, chance: random.Random) -> None:
        self.name = name
        self._broker = broker
        self._chance = chance
        self.up, self.down = Leg(chance), Leg(chance)
        self.connected = self.running = self.slow = False
        self.troubled_at = 0.0
        """Time of the loop until which something was wrong with it."""
        self._unread: deque[Callable[[], None]] = deque()
        self._context = contextvars.copy_context()
        self.dropped = 0

    @property
    def legs(self) -> tuple[Leg, Leg]:
        return self.up, self.down

    def trouble(self) -> None:
        """Remember that something is wrong now."""
        self.troubled_at = asyncio.get_running_loop().time()

    # --- the port ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._context = contextvars.copy_context()
        self.running = True
        try:
            self.connect()
            await asyncio.Event().wait()
        finally:
            self.leave()

    def connect(self) -> None:
        if self.running and not self.connected and self._broker.running and not self.up.held:
            self.connected = True
        elif self.running and not self.connected:
            self._connect_later()

    def _connect_later(self) -> None:
        asyncio.get_running_loop().call_later(self._chance.uniform(*RECONNECT), self.connect)

    def leave(self) -> None:
        """The process is gone."""
        self.running = False
        self._disconnect()

    def reset(self) -> None:
        """The connection ends, and its end is told; it connects again by itself."""
        if self.connected:
            self.trouble()
            self._disconnect()
            self._told()
            self._connect_later()

    def _told(self) -> None:
        """Tell the core, if its port does."""

    def _disconnect(self) -> None:
        self.connected = False
        self._unread.clear()
        for leg in self.legs:
            leg.reset()

    def to_broker(self, route: Callable[[], None]) -> None:
        if self.connected:
            self.up.carry(route)

    def from_broker(self, call_server: str, other: str, body: bytes) -> None:
        if self.connected:
            self.down.carry(lambda: self._read(call_server, other, body))

    def _read(self, call_server: str, other: str, body: bytes) -> None:
        if not self.slow:
            self._take(call_server, other, body)
        elif len(self._unread) < MAX_PENDING:
            self._unread.append(lambda: self._take(call_server, other, body))
        else:
            self.dropped += 1

    def read_on(self) -> None:
        """The end is no longer slow."""
        self.slow = False
        while self._unread:
            self._unread.popleft()()

    def _take(self, call_server: str, other: str, body: bytes) -> None:
        if self.running:
            self._broker.delivered += 1
            self._context.run(self.received, call_server, other, body)


class FollowerEnd(End):
    """A port for followers. `heard_at` is the time of the loop when a collector was last heard."""

    lost: Callable[[str | None], None]
    heard_at = 0.0

    def send(self, call_server: str, body: bytes, to: str | None = None) -> None:
        self.to_broker(lambda: self._broker.to_collectors(self.name, call_server, body, to))

    def _take(self, call_server: str, other: str, body: bytes) -> None:
        self.heard_at = asyncio.get_running_loop().time()
        super()._take(call_server, other, body)

    def _told(self) -> None:
        self._context.run(self.lost, None)

    def tell_lost(self, collector: str) -> None:
        """A transport that sees a collector's end says so."""
        if self.connected:
            self._context.run(self.lost, collector)


class CollectorEnd(End):
    """A port for collectors."""

    def publish(self, call_server: str, body: bytes) -> None:
        self.to_broker(lambda: self._broker.to_followers(self.name, call_server, body))

    def send(self, to: str, call_server: str, body: bytes) -> None:
        self.to_broker(lambda: self._broker.to_follower(self.name, to, call_server, body))
