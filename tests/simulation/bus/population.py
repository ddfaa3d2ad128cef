"""The Asterisk, the broker and the machines of a universe, and what becomes of them."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from service.domain.directory import Directory
from service.domain.models import Extension, Phone, Profile
from tests.simulation.bus.broker import Broker
from tests.simulation.bus.checkers import SURE, FollowerChecks
from tests.simulation.bus.ends import End
from tests.simulation.bus.machines import CollectorMachine, FollowerMachine
from tests.simulation.link.changes import Changes
from tests.simulation.server import AmiServer
from tests.simulation.session import Session
from tests.simulation.world import World

ENDPOINTS = 8
COLLECTORS = FOLLOWERS = 2
SPARED_FOR = 4.0
"""Seconds after a collector's death in which nothing becomes unknown that another collector knows."""


@dataclass
class Spared:
    """What a follower showed as live when a collector died, while another one was fresh."""

    follower: FollowerMachine
    other: CollectorMachine
    until: float
    extensions: list[Extension]


class Population:
    """Who is there."""

    LATE = 0.05
    has_sync = False

    def __init__(self, world: World) -> None:
        self.world = world
        self._machines = 0
        chance = random.Random(f"{world.seed}:changes")
        self._managed = chance.random() < 0.5
        self.server = AmiServer(world)
        self.changes = Changes(chance, self.server)
        self.broker: Broker = Broker(world)
        self.extensions: list[Extension] = []
        self._directory = Directory(world.uptime, world.wall)
        self.collectors: list[CollectorMachine] = []
        self.followers: list[FollowerMachine] = []
        self.checks: dict[str, FollowerChecks] = {}
        self.spared: list[Spared] = []
        self.gone: list[str] = []
        """Machines that have ended."""
        for number in range(ENDPOINTS):
            self._add(f"1{number:03}", tracked=True)
        self.changes.begin()

    def check_all(self) -> None:
        """Check all extensions at each follower."""
        raise NotImplementedError

    def on_changed(self, checks: FollowerChecks) -> Callable[[str | None], None]:
        """Return what is called with each extension that has changed at a follower."""
        raise NotImplementedError

    def some_end(self) -> End:
        """The connection of one machine to the broker."""
        return self.broker.chance.choice(self.broker.ends())

    def sessions_of(self, machine: CollectorMachine) -> list[Session]:
        """The AMI sessions that Asterisk has with a collector."""
        address = self.world.address(machine.name)
        return [each for each in self.server.sessions if each._transport.get_extra_info("peername")[0] == address]

    def start_collector(self) -> None:
        self._machines += 1
        name = f"collector {self._machines}"
        machine = CollectorMachine(self.world, self.broker, name, self.extensions, managed=self._managed)
        self.collectors.append(machine)

    def kill(self, machine: CollectorMachine, *, told: bool) -> None:
        """A collector vanishes. `told`: the transport notices it."""
        now = self.world.monotonic()
        self.forget(machine)
        for follower in self.followers:
            checks = self.checks[follower.name]
            for other in self.collectors:
                if now - checks.heard_since(other) > SURE and follower.server.states.current:
                    shown = [each for each in self.extensions if follower.server.read(each).live]
                    self.spared.append(Spared(follower, other, now + SPARED_FOR, shown))
        machine.vanish()
        if told:
            for end in self.broker.followers.values():
                end.tell_lost(machine.name)
        self.check_all()

    def retire(self) -> None:
        """End the oldest collector if there are more than it takes."""
        if len(self.collectors) > COLLECTORS:
            self.kill(self.collectors[0], told=False)

    def forget(self, machine: CollectorMachine) -> None:
        self.collectors.remove(machine)
        self.gone.append(machine.name)

    def start_follower(self) -> None:
        self._machines += 1
        name = f"follower {self._machines}"
        machine = FollowerMachine(
            self.world, self.broker, name, self.extensions, self._directory, managed=self._managed
        )
        checks = self.checks[name] = FollowerChecks(
            machine, self.server.asterisk, self.world, self.broker, managed=self._managed
        )
        machine.start()
        machine.feed.on_changed = self.on_changed(checks)
        self.followers.append(machine)

    async def replace_follower(self, machine: FollowerMachine) -> None:
        """A follower ends, and a new one starts."""
        self.followers.remove(machine)
        self.gone.append(machine.name)
        self.start_follower()
        await machine.stop()

    def new_endpoint(self) -> str:
        name = f"2{len(self.extensions):03}"
        self._add(name, tracked=False)
        return name

    def _add(self, number: str, *, tracked: bool) -> None:
        self.server.asterisk.add_endpoint(number, tracked=tracked)
        phone = Phone(phone_id=int(number), endpoint=number, auth_username=number, secret="s", profile=Profile.SIP)
        extension = Extension(number, "main", True, None, number, (phone,))
        self.extensions.append(extension)
        self._directory.put_extension(number, extension)
        for collector in self.collectors:
            collector.link.follow([extension], set())
        for follower in self.followers:
            follower.server.follow([extension], set())
            follower.feed.composer.directory_changed(frozenset({number}))
