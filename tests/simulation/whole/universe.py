"""One universe of the profile `whole`: the web profile's, whose people are in the model of PostgreSQL."""

from __future__ import annotations

import asyncio
import random
from datetime import UTC, datetime
from typing import Any, cast

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from service.settings import Settings
from tests.simulation.database.cluster import URL, Cluster
from tests.simulation.database.connector import DEADLINE, POOL
from tests.simulation.database.driver import installed
from tests.simulation.database.rows import Commit
from tests.simulation.plan import Fault
from tests.simulation.result import Lied, Result
from tests.simulation.web.clients import Client
from tests.simulation.web.networks import HOSTS
from tests.simulation.web.population import population
from tests.simulation.web.service import STOPS_WITHIN, settings_of
from tests.simulation.web.universe import Universe as WebUniverse
from tests.simulation.web.universe import run_one
from tests.simulation.whole.calls import Admin, Person
from tests.simulation.whole.faults import KINDS, OF_POSTGRESQL
from tests.simulation.whole.judge import WholeJudge
from tests.simulation.whole.people import StoredPeople, first_password
from tests.simulation.whole.postgresql import ModelPostgreSQL

worlds.install_datetime()

STOPS_IN_TROUBLE = 30.0
"""Seconds beyond the shutdown deadline while PostgreSQL does not answer: each last batch is tried."""
TROUBLED = 6.0
"""Seconds with faults of PostgreSQL, where they end early."""
CONNECTIONS = POOL + 3
"""Sessions of the service: its pool, one for imports, the listener's, and one that looks whether it may write."""


def run(seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run the universe of a seed; with the faults `keep` alone, if they are given."""
    return run_one(Universe, seed, keep, traced=traced)


class Universe(WebUniverse):
    """Its parts, where they are others."""

    kinds = cast(Any, KINDS)
    tasks_at_rest = 40
    people: StoredPeople
    postgresql: ModelPostgreSQL

    @classmethod
    def has(cls, seed: int, fault: Fault) -> bool:
        """In every second universe PostgreSQL is well after a while, so that each call must be answered."""
        return seed % 2 == 0 or fault.at < TROUBLED or not fault.kind.startswith(OF_POSTGRESQL)

    def make_people(self) -> StoredPeople:
        return StoredPeople(self.chance, self.world.uptime)

    def make_judge(self, result: Result) -> WholeJudge:
        return WholeJudge(result)

    def make_settings(self) -> Settings:
        return settings_of(
            self.chance, database_url=URL, database_pool=POOL, database_deadline=DEADLINE, database_start_deadline=120
        )

    def make_postgresql(self) -> ModelPostgreSQL:
        cluster = Cluster(self.world, self.people.rows_of(datetime.fromtimestamp(self.world.wall(), UTC)))
        self.people.store(cluster)
        cluster.observers.append(self._on_commit)
        return ModelPostgreSQL(self.world, self.people, cluster, self.settings.directory_grace, self.check_all)

    def make_clients(self) -> list[Client]:
        def who(user_id: int) -> tuple[WebUniverse, str, int, random.Random]:
            return self, self.chance.choice(HOSTS), user_id, random.Random(self.chance.random())

        callers = [
            Admin(*who(101)),
            Admin(*who(101), pace=(0.1, 0.5)),
            *(Person(*who(each)) for each in (102, 104, 109)),
        ]
        return [*population(self, self.chance), *callers]

    # --- the run -------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._secrets_in(self.postgresql.cluster.truth.rows["users"].values())
        self.logs.secrets |= set(map(first_password, self.people.people))
        with installed(self.postgresql.cluster.driver):
            await super().run()
        cluster = self.postgresql.cluster
        self._result.counters["changes in PostgreSQL"] = len(cluster.commits)
        if left := [session.name for server in cluster.servers.values() for session in server.sessions.values()]:
            raise Lied(f"sessions are left over: {left}")

    def _on_commit(self, commit: Commit) -> None:
        self._secrets_in(commit.rows["users"][key] for kind, key in commit.changed if kind == "user")

    def _secrets_in(self, users: Any) -> None:
        self.logs.secrets |= {user["passwd"] for user in users}

    def check_all(self) -> None:
        checkers = self.postgresql.checkers
        if not self._replacing and self.service.serving.is_set():
            checkers.check_memory()
        for lie in checkers.lies:
            self.judge.wrong(lie)
        super().check_all()

    def heal(self) -> None:
        super().heal()
        self.postgresql.cluster.heal()

    def wrongs(self) -> list[str]:
        self.people.settle()
        servers = self.postgresql.cluster.servers.values()
        sessions = sum(len(server.sessions) for server in servers)
        too_many = [f"{sessions} sessions"] if sessions > CONNECTIONS else []
        return [*self.postgresql.checkers.wrongs(), *too_many, *super().wrongs()]

    def is_prompt_since(self, host: str, moment: float) -> bool:
        return super().is_prompt_since(host, moment) and self.postgresql.is_well

    async def replace_service(self, seconds: float, *, gracefully: bool) -> None:
        """Its listener is another one: all is well once that has shown that it works."""
        self.service.stops_within = STOPS_WITHIN if self.postgresql.is_well else STOPS_IN_TROUBLE
        await self.postgresql.calm.disturbed_by(super().replace_service(seconds, gracefully=gracefully))

    async def _end(self) -> None:
        for _ in range(30):  # as long as nobody has said that the last connections are lost
            await asyncio.sleep(0.1)
        await super()._end()
