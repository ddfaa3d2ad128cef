"""What happens in Asterisk without a fault: calls, registrations, custom devices and hints."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from tests.simulation.asterisk import CALL_STATES
from tests.simulation.server import AmiServer

LAMPS = 4
"""Custom devices."""


class Changes:
    """Changes of one Asterisk, by chance."""

    def __init__(self, chance: random.Random, server: AmiServer) -> None:
        self._chance = chance
        self._server = server
        self.made = 0

    async def run(self, seconds: float) -> None:
        """Five a second on average."""
        ends_at = asyncio.get_running_loop().time() + seconds
        while asyncio.get_running_loop().time() < ends_at:
            await asyncio.sleep(self._chance.expovariate(5))
            self.burst(1)

    def burst(self, changes: int) -> None:
        """Many changes at once."""
        if self._server.can_change:
            for _ in range(changes):
                self._change_one()

    def _change_one(self) -> None:
        self.made += 1
        asterisk = self._server.asterisk
        if self._chance.random() < 0.2:
            asterisk.set_custom(f"Custom:lamp{self._chance.randrange(LAMPS)}", self._chance.choice(CALL_STATES))
            return
        endpoint = asterisk.endpoints[self._chance.choice(list(asterisk.endpoints))]
        if not endpoint.contacts:
            asterisk.register(endpoint.name, answers=self._chance.random() < 0.9)
        elif self._chance.random() < 0.15:
            asterisk.unregister(endpoint.name)
        elif self._chance.random() < 0.1:
            asterisk.register(endpoint.name)
        else:
            asterisk.set_call(endpoint.name, self._chance.choice(CALL_STATES))

    def tracked_endpoint(self) -> str:
        """One of the endpoints that Asterisk tracks."""
        endpoints = self._server.asterisk.endpoints.values()
        return self._chance.choice([endpoint.name for endpoint in endpoints if endpoint.tracked])

    def other_hints(self, numbers: Iterable[str] | None = None) -> dict[str, str]:
        """Hints of one or two devices, for some of the extensions; for these numbers, if they are given."""
        names = list(self._server.asterisk.endpoints)
        hints = {}
        for number in names if numbers is None else numbers:
            kind = self._chance.random() * (1.0 if numbers is None else 0.4)
            other = self._chance.choice([name for name in names if name != number])
            if kind < 0.2:
                hints[number] = f"PJSIP/{number}&Custom:lamp{self._chance.randrange(LAMPS)}"
            elif kind < 0.4:
                hints[number] = f"PJSIP/{number}&PJSIP/{other}"
            elif kind < 0.5:
                hints[number] = f"Custom:lamp{self._chance.randrange(LAMPS)}"
        return hints
