"""The machines of the world: each with a clock of its own, and unchanged parts of the product."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterable

from service.ami.accounts import Account
from service.ami.kept_connection import KeptConnection
from service.ami.link import Link
from service.bus import change_over, published
from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.following import FollowedPresence, Following
from service.bus.messages import PresenceFacts
from service.domain.custom_presence import Presence
from service.domain.directory import Directory
from service.domain.models import Extension
from tests.simulation.accounts import SECRET
from tests.simulation.bus.broker import Broker
from tests.simulation.link.shown_feed import ShownFeed
from tests.simulation.link.universe import brisk
from tests.simulation.server import PORT
from tests.simulation.world import World

published.CHUNK = change_over.SLICE = 7
"""A map of some dozens of entries is cut as one of thousands is."""
SERVER = "main"
DEADLINE = 2.0
"""Seconds, of links and followers."""


class Clock:
    """Seconds since a machine was started, suspended ones too. Machines were not started together."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world = world
        self._ahead = chance.uniform(0, 100_000)

    def __call__(self) -> float:
        return self._world.monotonic() + self._ahead

    def pass_over(self, seconds: float) -> None:
        """The machine was suspended for so long; what runs on it did not see time pass."""
        self._ahead += seconds

    def in_world(self, at: float) -> float:
        """A moment of this clock as one of the world's."""
        return at - self._ahead


class Setter:
    """The connection of the account `presence`, as a collector sees it."""

    def __init__(self, kept: KeptConnection) -> None:
        self._kept = kept

    @property
    def facts(self) -> PresenceFacts:
        kept = self._kept
        return PresenceFacts(kept.connected, kept.since, kept.why_down, kept.failure, kept.remedy, kept.opened)

    async def set_presence(self, presence_id: str, presence: Presence) -> None:
        await self._kept.set_presence(presence_id, presence)


class CollectorMachine:
    """A link and its collector. It is new each time it is started."""

    def __init__(self, world: World, broker: Broker, name: str, extensions: Iterable[Extension], *, managed: bool):
        self.world, self.name = world, name
        self._broker = broker
        self.chance = random.Random(f"{world.seed}:{name}")
        self.clock = Clock(world, self.chance)
        account = Account("asterisk", PORT, "monitor", SECRET)
        self.link = Link(SERVER, account, deadline=DEADLINE, managed=managed, clock=self.clock, delays=brisk)
        self.link.follow(extensions, set())
        self._kept = KeptConnection(
            SERVER, "presence", Account("asterisk", PORT, "presence", SECRET), deadline=DEADLINE,
            report_refusal=self.link.account_checks.report, clock=self.clock, delays=brisk,
        )  # fmt: skip
        self.link.account_checks.on_live = self._kept.retry_now
        self.end = broker.add_collector(name)
        self.collector = Collector(
            [self.end],
            {SERVER: self.link},
            {SERVER: Setter(self._kept)},
            {},
            call_soon=asyncio.get_running_loop().call_soon,
            clock=self.clock,
            new_epoch=lambda: f"{self.chance.getrandbits(64):016x}",
        )
        self.fresh_since = float("inf")
        """Time of the loop since which the link was fresh whenever it was looked at: its pings are answered."""
        world.set_latency(name, "asterisk", 0, 0.001)
        self.tasks = [
            world.start(name, self.link.run(), "link"),
            world.start(name, self._kept.run(), "presence connection"),
            world.start(name, self.collector.run(), "collector"),
        ]

    def look(self) -> None:
        """Notice whether the link is fresh."""
        states = self.link.states
        fresh = states.current and self.clock() - states.confirmed_at < DEADLINE / 2
        self.fresh_since = min(self.fresh_since, self.world.monotonic()) if fresh else float("inf")

    def vanish(self) -> None:
        """Killed: nothing more is sent, and nothing runs."""
        self.end.leave()
        self._broker.remove(self.name)
        for task in self.tasks:
            task.cancel()

    async def stop(self) -> None:
        """End, and wait for the end."""
        self.vanish()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class FollowerMachine:
    """A replica: it follows the call server, and shows the presence feed."""

    def __init__(
        self,
        world: World,
        broker: Broker,
        name: str,
        extensions: list[Extension],
        directory: Directory,
        *,
        managed: bool,
    ) -> None:
        self.world, self.name = world, name
        self._broker = broker
        self._extensions, self._directory = extensions, directory
        self.chance = random.Random(f"{world.seed}:{name}")
        self.clock = Clock(world, self.chance)
        self.server = FollowedCallServer(SERVER, deadline=DEADLINE, clock=self.clock, managed=managed)
        self.server.follow(extensions, set())
        self.end = broker.add_follower(name)
        self.following = Following(self.end, {SERVER: self.server}, deadline=DEADLINE, clock=self.clock)
        self.follower = self.following.followers[SERVER]
        self.presence = FollowedPresence(self.server, self.follower)
        self.started_at = self.woken_at = world.monotonic()

    def start(self) -> None:
        self.feed = ShownFeed(self.world, self._directory, self.server, self._extensions, self.chance)  # type: ignore[arg-type]
        self.feed._polled = True  # what streams alone may show late, the profile `link` checks
        self.tasks = [
            self.world.start(self.name, self.following.run(), "following"),
            self.world.start(self.name, self.feed.composer.run(), "composer"),
        ]

    def suspend(self, seconds: float) -> None:
        """The machine was suspended, and has just woken up."""
        self.clock.pass_over(seconds)
        self.woken_at = self.world.monotonic()

    async def stop(self) -> None:
        self.end.leave()
        self._broker.remove(self.name)
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
