"""The parts of a universe with an HTTP server. Another profile makes some of them otherwise."""

from __future__ import annotations

import random
from typing import Any, cast

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from panoramisk.utils import IdGenerator

from service.settings import Settings
from tests.simulation.link.changes import Changes
from tests.simulation.plan import Fault
from tests.simulation.result import Result
from tests.simulation.server import AmiServer
from tests.simulation.web.clients import Client
from tests.simulation.web.follower import PostgreSQL as Stand
from tests.simulation.web.judge import Judge
from tests.simulation.web.logs import LogWatch
from tests.simulation.web.network import Kernel
from tests.simulation.web.networks import Networks
from tests.simulation.web.people import People
from tests.simulation.web.population import population
from tests.simulation.web.service import PostgreSQL, settings_of
from tests.simulation.web.truth import Truth

ENDPOINTS, PEOPLE_WITH_EXTENSION = 10, 8


class Parts:
    """Of one universe, before it runs."""

    def __init__(self, world: worlds.World, faults: list[Fault], result: Result) -> None:
        IdGenerator.reset("simulation")
        self.world = world
        self._faults = faults
        self._result = result
        self.chance = random.Random(f"{world.seed}:web")
        self.server = AmiServer(world)
        self.changes = Changes(random.Random(f"{world.seed}:changes"), self.server)
        self.people = self.make_people()
        self.judge = self.make_judge(result)
        self.kernel_buffer = self.chance.choice((0, 2_048, 16_384))
        self.networks = Networks(world)
        self.kernel = Kernel(world, self.judge.made, self.kernel_buffer)
        self.settings = self.make_settings()
        self.max_connections = self.chance.choice((24, 40, 200))
        self.pieces = 1
        self._steady_since = 0.0
        self._replacing = False
        users = sorted(self.people.people)
        for number in range(ENDPOINTS):
            self.people.add_extension(f"1{number:03}", users[number] if number < PEOPLE_WITH_EXTENSION else None)
            self.server.asterisk.add_endpoint(f"1{number:03}", tracked=True)
        self.postgresql = self.make_postgresql()
        self.changes.begin()
        self.server.asterisk.hints = {"1001": "PJSIP/1001&PJSIP/1002", "1004": "PJSIP/1004&PJSIP/1000"}
        self.clients = self.make_clients()
        self.logs = LogWatch(world, self.judge.wrong, lambda: self.judge.service.stopping)

    def make_people(self) -> People:
        return People(self.chance, self.world.uptime)

    def make_judge(self, result: Result) -> Judge:
        return Judge(result, Truth)

    def make_settings(self) -> Settings:
        return settings_of(self.chance)

    def make_postgresql(self) -> PostgreSQL:
        """Called once all people have their extensions."""
        return Stand(self.people, random.Random(f"{self.world.seed}:postgresql"), self.world.uptime)

    def make_clients(self) -> list[Client]:
        return population(cast(Any, self), self.chance)
