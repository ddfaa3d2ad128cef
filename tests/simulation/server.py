"""The model's AMI server: it listens, it ends with Asterisk, and a fault may slow, freeze or break it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter, deque

from tests.simulation.accounts import SECRET
from tests.simulation.answers import fully_booted
from tests.simulation.asterisk import Asterisk
from tests.simulation.session import Session
from tests.simulation.world import World

PORT = 5038
QUALIFY_TIME = 0.02
"""Seconds until a phone has answered a qualify."""
TIMEOUT = 3.0
"""Seconds until Asterisk gives up on a phone that does not answer."""
FAST = 0.000_1
"""Seconds that a turn of a connection's thread takes."""


class AmiServer:
    """AMI of one Asterisk."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.chance = random.Random(f"{world.seed}:asterisk")
        self.asterisk = Asterisk(self.chance, world.uptime, self.wall, self.publish)
        self.sessions: list[Session] = []
        self.secrets = dict.fromkeys(("monitor", "presence", "sync"), SECRET)
        """By account. A session that is logged in stays so when its secret changes."""
        self.refused: Counter[str] = Counter()
        """Logins by account."""
        self.frozen = False
        self.reads = self.writes = True
        """Whether bytes arrive from the clients, and at them."""
        self.chunk = 1 << 16
        """The most bytes that one packet holds."""
        self.items_per_turn = 50
        self.list_pace = FAST
        self.late = 0.0
        """The most seconds that an event takes from the change to the queues of the connections."""
        self._late_events: deque[bytes] = deque()
        self._server: asyncio.Server | None = None
        self._unpublished = 0.0

    # --- clocks: Asterisk's machine is not suspended, and its wall clock is right -------------------------------

    def wall(self) -> float:
        return self._world.wall() - self._world.wall_offset

    def wall_at(self, uptime: float) -> float:
        return self.wall() - self._world.uptime() + uptime

    def pace(self, is_list: bool) -> float:
        """Seconds until a connection's thread gets its next turn."""
        return self.list_pace if is_list else FAST * self.chance.randint(1, 10)

    # --- listening ---------------------------------------------------------------------------------------------

    async def listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(lambda: Session(self), port=PORT)

    def refuse(self) -> None:
        """Refuse new connections."""
        if self._server is not None:
            self._server.close()
            self._server = None

    def publish(self, data: bytes) -> None:
        """Queue an event at all connections, in order, after the delay that is in force."""
        if not self.late and not self._late_events:
            self._publish_now(data)
            return
        self._late_events.append(data)
        loop = asyncio.get_running_loop()
        self._unpublished = max(self._unpublished, loop.time() + self.chance.uniform(0, self.late))
        loop.call_at(self._unpublished, self._publish_next)

    def _publish_next(self) -> None:
        if self._late_events:
            self._publish_now(self._late_events.popleft())

    def _publish_now(self, data: bytes) -> None:
        for session in self.sessions:
            session.publish(data)

    def qualify_soon(self, name: str) -> None:
        """A phone answers after a moment, or not within Asterisk's timeout."""
        endpoint = self.asterisk.endpoints[name]
        answers = all(contact.answers for contact in endpoint.contacts.values())
        started = self.asterisk.started_at

        def done() -> None:
            if self.frozen:
                loop.call_later(QUALIFY_TIME, done)
            elif self.asterisk.running and self.asterisk.started_at == started:
                self.asterisk.qualify(name)

        loop = asyncio.get_running_loop()
        loop.call_later(QUALIFY_TIME if answers else TIMEOUT, done)

    @property
    def can_change(self) -> bool:
        """Whether anything can happen in Asterisk."""
        return self.asterisk.running and not self.frozen

    # --- faults ------------------------------------------------------------------------------------------------

    def freeze(self, frozen: bool) -> None:
        self.frozen = frozen
        for session in self.sessions:
            session.wake()

    def hold(self, *, reads: bool, writes: bool) -> None:
        self.reads, self.writes = reads, writes
        for session in self.sessions:
            session.hold(reads=reads, writes=writes)

    def cut(self, *, silently: bool, account: str | None = None) -> None:
        """End all connections, or those of an account; `silently` tells no client."""
        for session in [each for each in self.sessions if account in (None, each.account)]:
            session.abandon() if silently else session.reset()
            if session in self.sessions:
                self.sessions.remove(session)

    def stop(self, *, silently: bool) -> None:
        """Asterisk ends."""
        self.refuse()
        self.cut(silently=silently)
        self._late_events.clear()
        self.asterisk.stop()

    async def boot(self, *, seconds: float, remembers_contacts: bool, loses: float = 0.0) -> None:
        """Asterisk starts: AMI answers at once, FullyBooted comes later, and its list holds a part by then."""
        self.asterisk.start(remembers_contacts=remembers_contacts, loses=loses)
        started = self.asterisk.started_at
        await self.listen()
        await asyncio.sleep(seconds)
        if not self._runs_since(started):
            return
        self.asterisk.list_some(self.chance.randint(0, len(self.asterisk.unlisted)))
        self.asterisk.booted = True
        self.publish(fully_booted())
        for name in list(self.asterisk.endpoints):  # as `qualify_frequency` does
            asyncio.get_running_loop().call_later(self.chance.uniform(0, 10), self.qualify_soon, name)
        while self.asterisk.unlisted and self._runs_since(started):
            self.asterisk.list_some(self.chance.randint(1, 3))
            await asyncio.sleep(self.chance.uniform(0, 0.5))

    def _runs_since(self, started: float) -> bool:
        """Whether it has neither ended nor started once more."""
        return self.asterisk.running and self.asterisk.started_at == started
