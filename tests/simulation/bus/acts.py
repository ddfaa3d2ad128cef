"""Acts by request and reply: each ends by its deadline, with an answer that is true or an error."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from service.bus.following import ACT_DEADLINE
from service.domain.custom_presence import Presence, PresenceState
from service.errors import CallServerUnavailable
from tests.simulation.asterisk import Asterisk
from tests.simulation.bus.machines import FollowerMachine
from tests.simulation.world import World

EVERY = 1.0
"""Seconds between two acts, on average."""
SLACK = 0.01


class Acts:
    """Sets the presence of extensions through the followers."""

    def __init__(self, world: World, asterisk: Asterisk, numbers: list[str]) -> None:
        self._world = world
        self._asterisk = asterisk
        self._numbers = numbers
        self._chance = random.Random(f"{world.seed}:acts")
        self._running: set[asyncio.Task[None]] = set()
        self.made = self.answered = 0
        self.lies: list[str] = []

    async def run(self, seconds: float, followers: Callable[[], list[FollowerMachine]]) -> None:
        """Begin acts for so long, and wait for the end of the last."""
        ends_at = self._world.monotonic() + seconds
        while self._world.monotonic() < ends_at:
            await asyncio.sleep(self._chance.expovariate(1 / EVERY))
            if running := followers():
                machine = self._chance.choice(running)
                self.made += 1
                task = self._world.start(f"{machine.name} acts", self._act(machine, f"act {self.made}"), "act")
                self._running.add(task)
                task.add_done_callback(self._running.discard)
        if self._running:
            _, waiting = await asyncio.wait(self._running, timeout=ACT_DEADLINE + SLACK)
            if waiting:
                self.lies.append(f"{len(waiting)} acts never end")
            for task in waiting:
                task.cancel()

    async def _act(self, machine: FollowerMachine, message: str) -> None:
        began = self._world.monotonic()
        number = self._chance.choice(self._numbers)
        presence = Presence(self._chance.choice(list(PresenceState)), message)
        try:
            await machine.presence.set_presence(number, presence)
        except CallServerUnavailable:
            pass
        else:
            self.answered += 1
            history = self._asterisk.presence_history.get(number)
            if history is None or (presence.state.value, message) not in history.held(began):
                self.lies.append(f"{message} through {machine.name} was not done")
        if (took := self._world.monotonic() - began) > ACT_DEADLINE + SLACK:
            self.lies.append(f"{message} through {machine.name} took {took:.3f} s")
