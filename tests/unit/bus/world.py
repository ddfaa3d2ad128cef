"""Collectors and followers in one process with a clock of the test's, and a network that does what it is told."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field

from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.follower import Follower
from service.bus.messages import FromCollector, decode_from_collector
from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.models import DeviceState

SERVER = "main"
DEADLINE = 2.0


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class WrittenCallServer(CallServer):
    """What a link keeps, written by the test."""

    def __init__(self, clock: Callable[[], float]) -> None:
        super().__init__(SERVER, deadline=DEADLINE, clock=clock)
        self.reread: list[str] = []

    def become_live(self, states: Mapping[str, DeviceState]) -> None:
        """Connect, and take a snapshot."""
        self.states.synchronising()
        self.states.begin_snapshot()
        self.states.end_snapshot(dict(states))

    def lose(self) -> None:
        """Lose the link."""
        self.states.lost()
        self.contacts.lost()
        self.presences.lost()
        self.all_queues.lost()

    def read_contacts_later(self, endpoint: str) -> None:
        self.reread.append(endpoint)

    def untracked(self) -> Set[str]:
        return frozenset()

    @property
    def refused_accounts(self) -> Mapping[str, str]:
        return {"sync": "refused"}

    @property
    def hint_differences(self) -> int:
        return 3


@dataclass
class Network:
    """Messages on their way. They arrive when the test delivers them."""

    waiting: list[tuple[Callable[[], None], str, bytes]] = field(default_factory=list)

    def deliver(self) -> None:
        """Deliver all, and what is sent in answer."""
        while self.waiting:
            self.waiting.pop(0)[0]()

    def deliver_some(self, chance: random.Random, loss: float) -> None:
        """Deliver some in any order, some twice, and lose some."""
        for _ in range(chance.randrange(12)):
            if not self.waiting:
                return
            deliver, _, _ = self.waiting.pop(
                0 if chance.random() < 0.8 else chance.randrange(min(4, len(self.waiting)))
            )
            for _ in range(0 if chance.random() < loss else 1 if chance.random() < 0.95 else 2):
                deliver()

    def from_collectors(self) -> Iterable[FromCollector]:
        """The messages to followers that are on their way."""
        return [decode_from_collector(body) for _, to, body in self.waiting if to.startswith("follower")]


class _CollectorEnd:
    """A collector's port."""

    received: Callable[[str, str, bytes], None]

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def publish(self, call_server: str, body: bytes) -> None:
        for follower in self._world.followers:
            self.send(follower, call_server, body)

    def send(self, to: str, call_server: str, body: bytes) -> None:
        follower = self._world.followers[to].follower
        self._world.network.waiting.append((lambda: follower.received(self._name, body), to, body))

    async def run(self) -> None:
        await asyncio.Event().wait()


@dataclass
class Followed:
    """A follower and what it writes."""

    server: FollowedCallServer
    follower: Follower


class World:
    """Collectors by name, each with a link of its own, and followers."""

    def __init__(self, seed: int = 0) -> None:
        self.clock = Clock()
        self.chance = random.Random(seed)
        self.network = Network()
        self.links: dict[str, WrittenCallServer] = {}
        self.followers: dict[str, Followed] = {}
        self.ends: dict[str, _CollectorEnd] = {}
        self._soon: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[None]] = []

    def add_collector(self, name: str) -> WrittenCallServer:
        """Add a collector, whose link is down."""
        self.links[name] = link = WrittenCallServer(self.clock)
        self.ends[name] = end = _CollectorEnd(self, name)
        Collector(
            [end],
            {SERVER: link},
            {},
            {},
            call_soon=self._soon.append,
            clock=self.clock,
            new_epoch=lambda: f"{self.chance.getrandbits(64):016x}",
        )
        return link

    def add_follower(self, name: str = "follower") -> Followed:
        """Add a follower, with its task."""
        server = FollowedCallServer(SERVER, deadline=DEADLINE, clock=self.clock)

        def send(body: bytes, to: str | None) -> None:
            for collector, end in list(self.ends.items()):
                if to in (None, collector):
                    self.network.waiting.append((lambda end=end: end.received(SERVER, name, body), collector, body))  # type: ignore[misc]

        follower = Follower(server, send, deadline=DEADLINE, clock=self.clock, chance=self.chance.random)
        self.followers[name] = followed = Followed(server, follower)
        self._tasks.append(asyncio.create_task(follower._change_over()))
        return followed

    def kill(self, collector: str) -> None:
        """Let a collector vanish. Nobody is told."""
        del self.ends[collector]
        del self.links[collector]

    def turn(self) -> None:
        """Let the collectors do what they do once per turn of the loop."""
        soon, self._soon[:] = list(self._soon), []
        for function in soon:
            function()

    async def settle(self) -> None:
        """Let the followers change over."""
        for _ in range(30):
            await asyncio.sleep(0)

    async def step(self, seconds: float = 0.1) -> None:
        """Let time pass: links ping, followers ask, and all messages arrive."""
        self.clock.now += seconds
        for link in self.links.values():
            if link.states.freshness is Freshness.LIVE:
                link.states.confirm(self.clock.now)
        self.turn()
        for followed in self.followers.values():
            followed.follower.check()
        self.network.deliver()
        await self.settle()

    async def close(self) -> None:
        """End the tasks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
