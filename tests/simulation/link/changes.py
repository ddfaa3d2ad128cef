"""What happens in Asterisk without a fault: calls, registrations, custom devices and hints."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from tests.simulation.asterisk import CALL_STATES
from tests.simulation.server import AmiServer

LAMPS = 4
"""Custom devices."""
QUEUES = ("sales", "support")
MAX_WAITING = 6
CALLERS = "callers"
"""The context whose callers wait in a queue."""


class Changes:
    """Changes of one Asterisk, by chance."""

    def __init__(self, chance: random.Random, server: AmiServer) -> None:
        self._chance = chance
        self._server = server
        self.made = 0
        self._callers = 0

    def begin(self) -> None:
        """What holds at first: custom devices, hints, and queues with two members each."""
        asterisk = self._server.asterisk
        for number in range(LAMPS):
            asterisk.set_custom(f"Custom:lamp{number}", "NOT_INUSE")
        asterisk.hints = self.other_hints()
        names = list(asterisk.endpoints)
        for queue in QUEUES:
            asterisk.queues.add_queue(queue)
            for _ in range(2):
                self._toggle_member(queue, self._chance.choice(names))

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

    def flicker(self, changes: int) -> None:
        """Many changes of custom devices at once, which ask nothing of anybody."""
        for number in range(changes):
            self._server.asterisk.set_custom(f"Custom:lamp{number % LAMPS}", CALL_STATES[number % len(CALL_STATES)])

    def _change_one(self) -> None:
        self.made += 1
        asterisk = self._server.asterisk
        if self._chance.random() < 0.2:
            asterisk.set_custom(f"Custom:lamp{self._chance.randrange(LAMPS)}", self._chance.choice(CALL_STATES))
            return
        if self._chance.random() < 0.25:
            self._change_queue(self._chance.choice(QUEUES))
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

    def _change_queue(self, name: str) -> None:
        queues = self._server.asterisk.queues
        queue = queues.queues[name]
        kind = self._chance.random()
        if kind < 0.35 and len(queue.callers) < MAX_WAITING:
            self._callers += 1
            queues.join(name, f"03{self._callers:05}", CALLERS)
        elif kind < 0.65 and queue.callers:
            queues.leave(name, self._chance.choice(queue.callers).number, CALLERS)
        elif kind < 0.8 or not queue.members:
            self._toggle_member(name, self._chance.choice(list(self._server.asterisk.endpoints)))
        else:
            member = self._chance.choice(list(queue.members.values()))
            if kind < 0.95:
                queues.pause(member.interface, not member.paused, "tea")
            else:
                queues.set_penalty(name, member.interface, self._chance.randrange(3))

    def _toggle_member(self, name: str, endpoint: str) -> None:
        """A phone logs in or out. Half of them are called by their number, and counted by their device."""
        queues = self._server.asterisk.queues
        device = f"PJSIP/{endpoint}"
        interface = device if int(endpoint) % 2 else f"Local/{endpoint}@extensions/n"
        if interface in queues.queues[name].members:
            queues.remove_member(name, interface)
        else:
            queues.add_member(name, interface, device)

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
