"""One universe: the unchanged link, an Asterisk, and the faults of a seed between them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import structlog

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from panoramisk.utils import IdGenerator

from service.ami.accounts import Account
from service.ami.kept_connection import KeptConnection
from service.ami.link import REFUSED_DELAY, Link
from service.backoff import delays
from service.domain.directory import Directory
from service.domain.models import Extension, Phone, Profile
from tests.simulation.link.changes import Changes
from tests.simulation.link.checkers import TASKS_AT_REST, Checkers
from tests.simulation.link.faults import KINDS, can_happen
from tests.simulation.link.presence_checks import Setters
from tests.simulation.link.shown_feed import ShownFeed
from tests.simulation.plan import Fault, plan
from tests.simulation.result import Lied, Result
from tests.simulation.running import run_universe
from tests.simulation.server import PORT, AmiServer
from tests.simulation.session import SECRET

worlds.install_datetime()

SECONDS = 60.0
"""Simulated seconds with faults."""
EVERY = (0.5, 0.15, 0.5)
"""Seconds between two faults, on average, by seed: a third of the universes have no calm."""
RIGHT_WITHIN = 15.0
"""Seconds after the last fault within which everything is right."""
REST = 3.0
"""Seconds in which it then stays right."""
WHOLE_WITHIN = 50.0
"""Seconds after that within which what needs another account is right: its refusals, and a second attempt."""
FLICKER = 300
"""Changes at once at rest: more messages than the service handles in one turn of its loop."""
SETTLES_WITHIN = 0.5
DEADLINE = 2.0
SAMPLED_EVERY = 0.05
"""Seconds between two samples, each of some extensions. All have had their turn after FULL_SAMPLE_OF of them."""
FULL_SAMPLE_OF = 5
ENDPOINTS = 12
MAX_LIES = 5


def run(seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run the universe of a seed; with the faults `keep` alone, if they are given."""
    planned = plan(seed, SECONDS, EVERY[seed % len(EVERY)], KINDS)

    async def live(world: worlds.World, faults: list[Fault], result: Result) -> None:
        await Universe(world, faults, result).run()

    return run_universe(seed, planned, keep, live, traced=traced)


class Universe:
    """Its parts, and what happens to the Asterisk without a fault."""

    LATE = 0.05

    def __init__(self, world: worlds.World, faults: list[Fault], result: Result) -> None:
        IdGenerator.reset("simulation")  # ids are not numbered through all universes of a process
        structlog.configure(processors=[self.note_log], cache_logger_on_first_use=False)
        self.world = world
        self._faults = faults
        self._result = result
        self._feed: ShownFeed | None = None
        self._samples = 0
        chance = random.Random(f"{world.seed}:changes")
        self._managed = chance.random() < 0.5
        self.server: AmiServer = AmiServer(world)
        self.changes = Changes(chance, self.server)
        self.extensions: list[Extension] = []
        self._directory = Directory(world.uptime, world.wall)
        account = Account("asterisk", PORT, "monitor", SECRET)
        self.has_sync = chance.random() < 0.5
        sync = Account("asterisk", PORT, "sync", SECRET) if self.has_sync else None
        self.link = Link("main", account, sync=sync, deadline=DEADLINE, managed=self._managed, delays=brisk)
        self._kept = KeptConnection(
            "main", "presence", Account("asterisk", PORT, "presence", SECRET), deadline=DEADLINE,
            report_refusal=self.link.account_checks.report, clock=world.uptime, delays=brisk,
        )  # fmt: skip
        self.link.account_checks.on_live = self._kept.retry_now
        self._setters = Setters(world, self.server.asterisk, self._kept, random.Random(f"{world.seed}:setters"))
        self.checkers = Checkers(self.link, self.server.asterisk, world.uptime, DEADLINE, managed=self._managed)
        for number in range(ENDPOINTS):
            self._add(f"1{number:03}", tracked=True)
        self.changes.begin()

    # --- the run -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self.world.set_latency("connector", "asterisk", 0, 0.001)
        await self.world.start("asterisk", self.server.listen(), "listen")
        link = self.world.start("connector", self.link.run(), "link")
        feed = self._feed = ShownFeed(
            self.world, self._directory, self.link, self.extensions, random.Random(f"{self.world.seed}:readers")
        )
        feed.on_changed = self._on_changed
        composer = self.world.start("connector", feed.composer.run(), "composer")
        self.link.queues_changed = self.checkers.check_queues
        kept = self.world.start("connector", self._kept.run(), "presence connection")
        numbers = [extension.number for extension in self.extensions]
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            life = [
                self.world.start("connector", self._setters.run(SECONDS, numbers), "setters"),
                self.world.start("asterisk", self.changes.run(SECONDS), "changes"),
                self.world.start("asterisk", self._break(), "faults"),
            ]
            await self._watch(life, link)
            self._heal()
            if self.has_sync and self.world.seed % 2:
                await self.world.start("asterisk", self._lose_endpoints(), "the last restart")
            await self._become_right()
            await self._become_whole()
        finally:
            for task in (link, composer, kept):
                task.cancel()
            await asyncio.gather(link, composer, kept, return_exceptions=True)
            counts = self.checkers.counts
            self._result.seconds = loop.time() - began
            self._result.live, self._result.not_live = counts.live, counts.not_live
            self._result.counters["changes in Asterisk"] = self.changes.made
            self._result.counters["readings of contacts"] = counts.contacts
            self._result.counters["readings of queues"] = self.checkers.queues.live
            self._result.counters["presences set"] = self._setters.accepted
            self._result.counters["presences refused"] = self._setters.refused
        await asyncio.sleep(1.0)
        if left := self.world.tasks_of("connector"):
            raise Lied(f"tasks are left over: {left}")

    async def _watch(self, life: list[asyncio.Task[None]], link: asyncio.Task[None]) -> None:
        """Check until the faults are over."""
        while not all(task.done() for task in life):
            await asyncio.sleep(SAMPLED_EVERY)
            self.sample()
            if link.done():
                raise Lied(f"the link ended: {link.exception()!r}")
        for task in life:
            task.result()

    async def _become_right(self) -> None:
        loop = asyncio.get_running_loop()
        over_at, over_at_uptime = loop.time(), self.world.uptime()
        right_within = RIGHT_WITHIN + (REFUSED_DELAY if self.link.facts.refused else 0.0)
        while wrongs := self.checkers.wrongs(self.extensions, over_at_uptime, lost=False):
            await asyncio.sleep(SAMPLED_EVERY)
            self.sample()
            if loop.time() > over_at + right_within:
                raise Lied(f"{right_within:g} s after the last fault: {'; '.join(wrongs[:3])}")
        self._result.right_after = loop.time() - over_at
        rest_until = loop.time() + REST
        failures = self.link.facts.failures
        self.changes.flicker(FLICKER)
        await asyncio.sleep(SETTLES_WITHIN)
        while loop.time() < rest_until:
            await asyncio.sleep(SAMPLED_EVERY)
            self.sample()
            if self.checkers.wrongs(self.extensions, lost=False):  # a phone was qualified at this moment
                await asyncio.sleep(SETTLES_WITHIN)
            if wrongs := self.checkers.wrongs(self.extensions, lost=False):
                raise Lied(f"at rest: {'; '.join(wrongs[:3])}")
        if self.link.facts.failures > failures:
            raise Lied(f"the connection ended at rest: {self.link.facts.why_ended}")
        limit = TASKS_AT_REST + len(self.extensions)
        if len(tasks := self.world.tasks_of("connector")) > limit:
            raise Lied(f"tasks at rest: {tasks}")

    async def _become_whole(self) -> None:
        """What may take longer: an account that was refused, and endpoints that only the account `sync` brings back."""
        loop = asyncio.get_running_loop()
        over_at = loop.time()
        while remaining := await self._not_whole():
            await asyncio.sleep(1.0)
            self.sample()
            if loop.time() > over_at + WHOLE_WITHIN:
                raise Lied(f"{WHOLE_WITHIN:g} s after that: {remaining}")

    async def _not_whole(self) -> str | None:
        if not await self._setters.set_one(self.extensions[0].number):
            return f"presence is refused: {self._kept.why_down}"
        await asyncio.sleep(SETTLES_WITHIN)
        if refused := self.link.account_checks.refused:
            return f"accounts are refused: {refused}"
        return "; ".join(self.checkers.wrongs(self.extensions)[:3]) or None

    # --- checks ------------------------------------------------------------------------------------------------

    def _on_changed(self, number: str | None) -> None:
        for extension in self.extensions:
            if number in (None, extension.number):
                self._check(extension)

    def sample(self) -> None:
        """Check some of the extensions: what time alone makes false is false of all that are live."""
        self._samples += 1
        if self._samples % FULL_SAMPLE_OF == 0:
            self.checkers.check_queues()
        self._check_some(self.extensions[self._samples % FULL_SAMPLE_OF :: FULL_SAMPLE_OF])

    def check_all(self) -> None:
        self.checkers.check_queues()
        self._check_some(self.extensions)

    def _check_some(self, extensions: list[Extension]) -> None:
        for extension in extensions:
            self._check(extension)
        self.checkers.check_waits()
        assert self._feed is not None
        if (wrong := self._feed.wrong(extensions)) is not None:
            raise Lied(f"{self.world.uptime():.3f} {wrong}")
        if lies := self.checkers.counts.lies:
            raise Lied("; ".join(lies[:MAX_LIES]))

    def _check(self, extension: Extension) -> None:
        reading = self.checkers.check(extension)
        if self.world.traced:
            self.world.note(f"{extension.number} {reading.state.name} {reading.reason}")

    def note_log(self, _logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        """A log line of the link: a part of the journal."""
        if self.world.traced:
            self.world.note(f"log {sorted((key, str(value)) for key, value in event.items())}")
        raise structlog.DropEvent

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

    async def _lose_endpoints(self) -> None:
        """The last restart leaves endpoints behind that only the account `sync` brings back."""
        self._result.fault("restart")
        self.server.stop(silently=False)
        await asyncio.sleep(0.5)
        await self.server.boot(seconds=0.5, remembers_contacts=True, loses=0.5)

    def _heal(self) -> None:
        """The faults are over; those that lasted have ended by themselves."""
        assert self.server.asterisk.running
        self.server.asterisk.end_reload()
        self.server.freeze(False)
        self.server.hold(reads=True, writes=True)

    def new_endpoint(self) -> str:
        name = f"2{len(self.extensions):03}"
        self._add(name, tracked=False)
        return name

    def _add(self, number: str, *, tracked: bool) -> None:
        self.server.asterisk.add_endpoint(number, tracked=tracked)
        phone = Phone(phone_id=int(number), endpoint=number, auth_username=number, secret="s", profile=Profile.SIP)
        extension = Extension(number, "main", True, None, number, (phone,))
        self.extensions.append(extension)
        self.link.follow([extension], set())
        self._directory.put_extension(number, extension)
        if self._feed is not None:
            self._feed.composer.directory_changed(frozenset({number}))


def brisk() -> Iterator[float]:
    """Delays of a link that are at most 3 s: the rest of the 15 s is for what follows a connection."""
    return delays(0.5, 3.0)
