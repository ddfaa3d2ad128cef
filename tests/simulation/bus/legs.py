"""One direction of a connection to the broker."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import Callable

SOON = (0.0, 0.002)
"""Seconds that a message takes between an end and the broker."""
MAX_HELD = 4_000
"""Messages that one direction of a connection, or the paused broker, holds at most."""

Deliver = Callable[[], None]


class Leg:
    """One direction of a connection: first in, first out, unless a fault says otherwise."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.latency = SOON
        self.loss = self.duplicates = self.overtaking = 0.0
        self.held = False
        """Whether nothing arrives for now: a partition. The network tries again until it heals."""
        self._sent: deque[Deliver] = deque()
        self._waiting: deque[Deliver] = deque(maxlen=MAX_HELD)
        self._last_at = self._late_until = 0.0
        self._epoch = 0

    @property
    def late_until(self) -> float:
        """Time of the loop when the last message that took long arrives, or arrived."""
        return self._late_until

    def carry(self, deliver: Deliver) -> None:
        chance = self._chance
        if self.loss and chance.random() < self.loss:
            return
        loop = asyncio.get_running_loop()
        at = loop.time() + chance.uniform(*self.latency)
        if self.overtaking and chance.random() < self.overtaking:
            loop.call_at(at + chance.uniform(0, 0.5), self._arrive, self._epoch, deliver)
            return
        self._last_at = at = max(self._last_at, at)
        if at > loop.time() + 2 * SOON[1]:
            self._late_until = at
        self._sent.append(deliver)
        loop.call_at(at, self._arrive_next, self._epoch)
        if self.duplicates and chance.random() < self.duplicates:
            loop.call_at(at + chance.uniform(0, 0.5), self._arrive, self._epoch, deliver)

    def _arrive_next(self, epoch: int) -> None:
        if epoch == self._epoch:  # the loop runs what is due at one moment in any order
            self._arrive(epoch, self._sent.popleft())

    def _arrive(self, epoch: int, deliver: Deliver) -> None:
        if epoch == self._epoch:
            if self.held or self._waiting:
                self._waiting.append(deliver)
            else:
                deliver()

    def hold(self, held: bool) -> None:
        self.held = held
        while self._waiting and not self.held:
            self._waiting.popleft()()

    def reset(self) -> None:
        """The connection ends: what is on its way is lost."""
        self._epoch += 1
        self._sent.clear()
        self._waiting.clear()
        self._last_at = 0.0
