"""One universe: an Asterisk, two collectors, a broker, two followers, and the faults of a seed between them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from panoramisk.utils import IdGenerator

from service.domain.models import Extension
from tests.simulation.bus.acts import Acts
from tests.simulation.bus.checkers import FollowerChecks, check_collector
from tests.simulation.bus.faults import KINDS, can_happen
from tests.simulation.bus.population import COLLECTORS, FOLLOWERS, SPARED_FOR, Population
from tests.simulation.plan import Fault, plan
from tests.simulation.result import Lied, Result
from tests.simulation.running import run_universe

worlds.install_datetime()

SECONDS = 30.0
"""Simulated seconds with faults."""
EVERY = (0.8, 0.25, 0.5)
"""Seconds between two faults, on average, by seed."""
RIGHT_WITHIN = 15.0
REST = 2.0
SETTLES_WITHIN = 0.5
SAMPLED_EVERY = 0.1
FULL_SAMPLE_OF = 4
MAX_LIES = 5
COLLECTOR_TASKS, FOLLOWER_TASKS = 18, 6
"""The most tasks of a machine that has nothing to do; a link has one more for each device that it tracks."""


def run(seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run the universe of a seed; with the faults `keep` alone, if they are given."""
    planned = plan(seed, SECONDS, EVERY[seed % len(EVERY)], KINDS)

    async def live(world: worlds.World, faults: list[Fault], result: Result) -> None:
        await Universe(world, faults, result).run()

    return run_universe(seed, planned, keep, live, traced=traced)


class Universe(Population):
    """What happens in it, and what is checked."""

    def __init__(self, world: worlds.World, faults: list[Fault], result: Result) -> None:
        IdGenerator.reset("simulation")
        structlog.configure(processors=[self.note_log], cache_logger_on_first_use=False)
        super().__init__(world)
        self._faults = faults
        self._result = result
        self._samples = 0
        self.acts = Acts(world, self.server.asterisk, [extension.number for extension in self.extensions])

    # --- the run -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        await self.world.start("asterisk", self.server.listen(), "listen")
        for _ in range(COLLECTORS):
            self.start_collector()
        for _ in range(FOLLOWERS):
            self.start_follower()
        began = self.world.monotonic()
        try:
            life = [
                self.world.start("asterisk", self.changes.run(SECONDS), "changes"),
                self.world.start("asterisk", self._break(), "faults"),
                self.world.start("broker", self.acts.run(SECONDS, lambda: self.followers), "acts"),
            ]
            while not all(task.done() for task in life):
                await asyncio.sleep(SAMPLED_EVERY)
                self.sample()
            for task in life:
                task.result()
            self._heal()
            await self._become_right()
        finally:
            self._count(began)
            for collector in list(self.collectors):
                self.forget(collector)
                await collector.stop()
            for follower in self.followers:
                self.gone.append(follower.name)
                await follower.stop()
        await asyncio.sleep(1.0)
        if left := [task for name in self.gone for task in self.world.tasks_of(name)]:
            raise Lied(f"tasks are left over: {left}")

    def _count(self, began: float) -> None:
        self._result.seconds = self.world.monotonic() - began
        counts = [checks.counts for checks in self.checks.values()]
        self._result.live = sum(each.live for each in counts)
        self._result.not_live = sum(each.not_live for each in counts)
        self._result.counters["readings of contacts"] = sum(each.contacts for each in counts)
        self._result.counters["readings of queues"] = sum(each.queues.live for each in self.checks.values())
        self._result.counters["changes in Asterisk"] = self.changes.made
        self._result.counters["messages on the bus"] = self.broker.delivered
        self._result.counters["acts"] = self.acts.made
        self._result.counters["acts done"] = self.acts.answered

    async def _become_right(self) -> None:
        over_at = self.world.monotonic()
        while wrongs := self._wrongs(over_at):
            await asyncio.sleep(SAMPLED_EVERY)
            self.sample()
            if self.world.monotonic() > over_at + RIGHT_WITHIN:
                raise Lied(f"{RIGHT_WITHIN:g} s after the last fault: {'; '.join(wrongs[:3])}")
        self._result.right_after = self.world.monotonic() - over_at
        rest_until = self.world.monotonic() + REST
        while self.world.monotonic() < rest_until:
            await asyncio.sleep(SAMPLED_EVERY)
            self.sample()
            if self._wrongs(over_at):  # a phone was qualified at this moment
                await asyncio.sleep(SETTLES_WITHIN)
            if wrongs := self._wrongs(over_at):
                raise Lied(f"at rest: {'; '.join(wrongs[:3])}")
        for names, most in (
            ([each.name for each in self.collectors], COLLECTOR_TASKS + len(self.extensions)),
            ([each.name for each in self.followers], FOLLOWER_TASKS),
        ):
            for name in names:
                if len(tasks := self.world.tasks_of(name)) > most:
                    raise Lied(f"tasks of {name} at rest: {tasks}")

    def _wrongs(self, over_at: float) -> list[str]:
        return [
            wrong
            for follower in self.followers
            for wrong in self.checks[follower.name].wrongs_of_bus(self.extensions, over_at, self.collectors)
        ]

    # --- checks ------------------------------------------------------------------------------------------------

    def sample(self) -> None:
        """Check some of the extensions at each follower."""
        self._samples += 1
        for collector in self.collectors:
            collector.look()
            if (wrong := check_collector(collector)) is not None:
                raise Lied(wrong)
            self._raise_if_ended(collector.tasks)
        self._check_some(self.extensions[self._samples % FULL_SAMPLE_OF :: FULL_SAMPLE_OF])

    def check_all(self) -> None:
        self._check_some(self.extensions)

    def _check_some(self, extensions: list[Extension]) -> None:
        for follower in self.followers:
            checks = self.checks[follower.name]
            for extension in extensions:
                self._check(checks, extension)
            if self._samples % FULL_SAMPLE_OF == 0:
                checks.check_queues()
            checks.check_bus(extensions[0], self.collectors)
            self._raise_if_ended(follower.tasks)
            if (wrong := follower.feed.wrong(extensions)) is not None:
                raise Lied(f"{self.world.monotonic():.3f} {follower.name}: {wrong}")
            if lies := checks.counts.lies:
                raise Lied(f"{follower.name}: {'; '.join(lies[:MAX_LIES])}")
        if self.acts.lies:
            raise Lied("; ".join(self.acts.lies[:MAX_LIES]))
        self._check_spared()

    def _check(self, checks: FollowerChecks, extension: Extension) -> None:
        reading = checks.check(extension)
        if self.world.traced:
            self.world.note(f"{checks.machine.name} {extension.number} {reading.state.name} {reading.reason}")

    def _raise_if_ended(self, tasks: list[asyncio.Task[None]]) -> None:
        for task in tasks:
            if task.done():
                raise Lied(f"{task.get_name()} ended: {task.exception()!r}")

    def _check_spared(self) -> None:
        """Nothing has become unknown that was live, and that another collector knows."""
        now = self.world.monotonic()
        for spared in list(self.spared):
            other, follower = spared.other, spared.follower
            heard_since = self.checks[follower.name].heard_since(other)
            if now > spared.until or heard_since > spared.until - SPARED_FOR or follower not in self.followers:
                self.spared.remove(spared)
                continue
            spared.extensions = [each for each in spared.extensions if other.link.read(each).live]
            for extension in spared.extensions:
                reading = follower.server.read(extension)
                if not reading.live:
                    raise Lied(
                        f"{now:.3f} a collector died, and {follower.name} reads {reading} of {extension.number}, "
                        f"although {other.name} is fresh"
                    )
            self._result.counters["readings after a collector's death"] += len(spared.extensions)

    def note_log(self, _logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        if self.world.traced:
            self.world.note(f"log {sorted((key, str(value)) for key, value in event.items())}")
        raise structlog.DropEvent

    def on_changed(self, checks: FollowerChecks) -> Callable[[str | None], None]:
        def changed(number: str | None) -> None:
            for extension in self.extensions:
                if number in (None, extension.number):
                    self._check(checks, extension)

        return changed

    # --- what happens ------------------------------------------------------------------------------------------

    async def _break(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        running: list[asyncio.Task[None]] = []
        for fault in self._faults:
            await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
            if not can_happen(self, fault):
                continue
            self.world.note(f"fault {fault}")
            self._result.fault(fault.kind)
            running.append(asyncio.ensure_future(KINDS[fault.kind](self, fault)))
        await asyncio.gather(*running)

    def _heal(self) -> None:
        """The faults are over; those that lasted have ended by themselves."""
        assert self.server.asterisk.running
        assert self.broker.running
        assert self.collectors
        self.server.asterisk.end_reload()
        self.server.freeze(False)
        self.server.hold(reads=True, writes=True)
