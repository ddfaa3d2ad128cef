"""One universe: the unchanged directory, listener, pool and audit trail, two servers, and the faults of a seed."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from tests.simulation.database.calls import Calls
from tests.simulation.database.calm import Calm
from tests.simulation.database.changes import Changes, first_rows, secrets_in
from tests.simulation.database.checkers import Checkers
from tests.simulation.database.cluster import Cluster
from tests.simulation.database.connector import Connector
from tests.simulation.database.driver import installed
from tests.simulation.database.faults import KINDS
from tests.simulation.database.rows import Commit
from tests.simulation.plan import Fault, plan
from tests.simulation.result import Lied, Result
from tests.simulation.running import run_universe

worlds.install_datetime()

ROUNDS, FAULTY, QUIET = 4, 8.0, 5.0
"""Rounds of so many seconds with faults, and then without new ones."""
EVERY = 0.4
"""Seconds between two faults, on average."""
RIGHT_WITHIN = 15.0
"""Seconds after the last fault within which everything is right."""
REST = 3.0
"""Seconds in which it then stays right, while others change rows."""
SAMPLED_EVERY = 0.05
TASKS_AT_REST = 16
MAX_LIES = 5
GRACES = (2.0, 6.0, 60.0)


def run(seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run the universe of a seed; with the faults `keep` alone, if they are given."""
    planned = map(_later, plan(seed, ROUNDS * FAULTY, EVERY, KINDS))

    async def live(world: worlds.World, faults: list[Fault], result: Result) -> None:
        universe = Universe(world, faults, result)
        with installed(universe.cluster.driver):
            await universe.run()

    return run_universe(seed, planned, keep, live, traced=traced)


def _later(fault: Fault) -> Fault:
    """Move a fault of an even plan into its round."""
    return replace(fault, at=fault.at + QUIET * (fault.at // FAULTY))


class Universe:
    """Its parts, and what happens in it."""

    def __init__(self, world: worlds.World, faults: list[Fault], result: Result) -> None:
        structlog.configure(processors=[self.note_log], cache_logger_on_first_use=False)
        self.world = world
        self._faults = faults
        self._result = result
        self.chance = random.Random(f"{world.seed}:changes")
        self.cluster = Cluster(world, first_rows(self.chance, datetime.fromtimestamp(world.wall(), UTC)))
        self.changes = Changes(self.cluster, self.chance)
        self.connector = Connector(world, self.chance.choice(GRACES))
        self.checkers = Checkers(world, self.cluster, self.connector)
        calls = random.Random(f"{world.seed}:calls")
        self.calls = Calls(world, self.connector, self.cluster, self.changes, self.checkers, calls)
        self.calm = Calm(world, self.cluster)
        self.calls.calm = lambda: self.calm.since if self.calm else None
        self.failing_over = False
        self.cluster.observers.append(self._on_commit)
        self.connector.observers.append(lambda _: self._note())

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            await self.connector.start()
            life = [
                self.world.start("asterisk", self._change(ROUNDS * (FAULTY + QUIET)), "changes"),
                self.world.start("asterisk", self._break(), "faults"),
            ]
            await self._watch(life)
            self.cluster.heal()
            await self._become_right()
            await self._rest()
        finally:
            await self.connector.stop()
            self._count(loop.time() - began)
        if (stored := self.checkers.disclosures()) < self.calls.disclosed:
            raise Lied(f"{self.calls.disclosed} disclosures, of which the trail counts {stored}")
        await asyncio.sleep(1.0)
        if left := self.world.tasks_of("connector"):
            raise Lied(f"tasks are left over: {left}")

    def _count(self, seconds: float) -> None:
        result, checkers = self._result, self.checkers
        result.seconds = seconds
        result.live, result.not_live = checkers.live, checkers.not_live
        result.counters["changes in PostgreSQL"] = len(self.cluster.commits)
        result.counters["calls that were answered"] = self.calls.answered
        result.counters["calls that were refused for a time"] = self.calls.unavailable

    # --- checks --------------------------------------------------------------------------------------------------

    async def _watch(self, life: list[asyncio.Task[None]]) -> None:
        while not all(task.done() for task in life):
            await self._sample()
        for task in life:
            task.result()

    async def _sample(self) -> None:
        await asyncio.sleep(SAMPLED_EVERY)
        self.check_all()
        for task in self.connector.tasks:
            if task.done():
                raise Lied(f"{self.world.uptime():.3f} the task {task.get_name()} ended: {task.exception()!r}")

    def check_all(self) -> None:
        self.checkers.check()
        self.calls.check()
        self._note()
        if lies := self.checkers.lies:
            raise Lied("; ".join(lies[:MAX_LIES]))

    def _note(self) -> None:
        directory = self.connector.directory
        self.world.note(f"{directory.counts()} {directory.version} {directory.usable} {self.calls.answered}")

    async def _become_right(self) -> None:
        loop = asyncio.get_running_loop()
        over_at = loop.time()
        while wrongs := self.checkers.wrongs():
            await self._sample()
            if loop.time() > over_at + RIGHT_WITHIN:
                raise Lied(f"{RIGHT_WITHIN:g} s after the last fault: {'; '.join(wrongs[:3])}")
        self._result.right_after = loop.time() - over_at

    async def _rest(self) -> None:
        """Nothing goes wrong: each change is known soon, and each call is answered."""
        await self._watch([self.world.start("asterisk", self._change(REST), "changes")])
        await asyncio.sleep(1.0)
        self.check_all()
        if wrongs := self.checkers.wrongs():
            raise Lied(f"at rest: {'; '.join(wrongs[:3])}")
        if self.calls.waiting and not self.cluster.network.lost:
            raise Lied(f"{self.calls.waiting} calls wait at rest")
        if len(tasks := self.world.tasks_of("connector")) > TASKS_AT_REST:
            raise Lied(f"tasks at rest: {tasks}")

    def _on_commit(self, commit: Commit) -> None:
        """While the listener is proved, a change is known after a moment."""
        self.cluster.secrets |= secrets_in(commit.rows)
        self.calm.after_commit(commit, lambda: self.checkers.check_soon(commit.changed, commit.at))

    def note_log(self, _logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        """A log line: a part of the journal, without secrets."""
        line = f"log {sorted((key, str(value)) for key, value in event.items())}"
        self.world.note(line)
        if any(secret in line for secret in self.cluster.secrets) or any(
            token in line for token in self.changes.tokens
        ):
            self.checkers.lies.append(f"a log line holds a secret: {event.get('event')}")
        raise structlog.DropEvent

    # --- what happens --------------------------------------------------------------------------------------------

    async def _break(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        running: list[asyncio.Task[None]] = []
        for fault in self._faults:
            await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
            self.world.note(f"fault {fault}")
            self._result.fault(fault.kind)
            running.append(asyncio.ensure_future(self.calm.disturbed_by(KINDS[fault.kind](self, fault))))
        await asyncio.gather(*running)

    async def _change(self, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + seconds
        while loop.time() < ends_at:
            await asyncio.sleep(self.chance.expovariate(12))
            if self.chance.random() < 0.5:
                self.changes.one()
            else:
                self.calls.one()

    def burst(self, changes: int) -> None:
        """Many changes at once."""
        for _ in range(changes):
            self.changes.one()
