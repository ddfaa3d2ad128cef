"""One universe of the web profile: the service with its HTTP server, an Asterisk, clients, and the faults of a seed."""

from __future__ import annotations

import asyncio
import random
from typing import Any, cast

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from service.ami.link import Link
from service.domain.models import Role
from tests.simulation.link.faults import can_happen
from tests.simulation.plan import Fault, plan
from tests.simulation.result import Lied, Result
from tests.simulation.running import run_universe
from tests.simulation.web import rude
from tests.simulation.web.client_connection import ClientConnection
from tests.simulation.web.crowd import crowd
from tests.simulation.web.faults import KINDS
from tests.simulation.web.networks import HOSTS
from tests.simulation.web.parts import Parts
from tests.simulation.web.people import Grant
from tests.simulation.web.rest import wrongs
from tests.simulation.web.service import Service

worlds.install_datetime()

SECONDS = 20.0
"""Simulated seconds with faults."""
EVERY = 0.3
"""Seconds between two faults, on average."""
RIGHT_WITHIN = 15.0
"""Seconds after the last fault within which everything is right."""
REST = 2.0
"""Seconds in which it then stays right."""
SAMPLED_EVERY = 0.1
SETTLES_WITHIN = 0.5
MAX_WRONGS = 5


def run(seed: int, keep: frozenset[int] | None = None, *, traced: bool = False) -> Result:
    """Run the universe of a seed; with the faults `keep` alone, if they are given."""
    return run_one(Universe, seed, keep, traced=traced)


def run_one(kind: type[Universe], seed: int, keep: frozenset[int] | None, *, traced: bool) -> Result:
    """The same, for a profile whose universes are of this kind."""
    planned = [fault for fault in plan(seed, SECONDS, EVERY, kind.kinds) if kind.has(seed, fault)]

    async def live(world: worlds.World, faults: list[Fault], result: Result) -> None:
        await kind(world, faults, result).run()

    return run_universe(seed, planned, keep, live, traced=traced)


class Universe(Parts):
    """What happens in it."""

    kinds = KINDS
    LATE = 0.05
    tasks_at_rest = 30
    """The most tasks of the service, without those of connections."""
    has_sync = False
    """Whether there is an account that may reload endpoints. Faults of the link ask for it."""

    @classmethod
    def has(cls, seed: int, fault: Fault) -> bool:
        """Whether a fault of the plan is one of this seed's."""
        return True

    # --- the run -----------------------------------------------------------------------------------------------

    async def run(self) -> None:
        for host in ("asterisk", *HOSTS):
            self.world.set_latency("connector", host, 0, 0.001)
        self.logs.install()
        await self.world.start("asterisk", self.server.listen(), "listen")
        await self._start_service()
        loop = asyncio.get_running_loop()
        began = loop.time()
        tasks = self._tasks = [
            self.world.start(client.host, client.run(), f"client {n}") for n, client in enumerate(self.clients)
        ]
        try:
            life = [
                self.world.start("asterisk", self.changes.run(SECONDS), "changes"),
                self.world.start("asterisk", self._break(), "faults"),
            ]
            while not all(task.done() for task in life):
                await self._look()
            for task in life:
                task.result()
            self.heal()
            await self._become_right()
        finally:
            for task in tasks:
                task.cancel()
            self._result.seconds = loop.time() - began
            self._result.counters["changes in Asterisk"] = self.changes.made
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._end()

    async def _look(self) -> None:
        await asyncio.sleep(SAMPLED_EVERY)
        self.service.check()
        for task in self._tasks:
            if task.done():
                task.result()
        self.check_all()

    def check_all(self) -> None:
        """Check what has to hold at all times."""
        if not self._replacing:
            self.judge.check_limits()
        if self.judge.wrongs:
            raise Lied("; ".join(self.judge.wrongs[:MAX_WRONGS]))

    async def _become_right(self) -> None:
        loop = asyncio.get_running_loop()
        over_at = loop.time()
        while wrong := self.wrongs():
            await self._look()
            if loop.time() > over_at + RIGHT_WITHIN:
                raise Lied(f"{RIGHT_WITHIN:g} s after the last fault: {'; '.join(wrong[:3])}")
        self._result.right_after = loop.time() - over_at
        rest_until = loop.time() + REST
        while loop.time() < rest_until:
            await self._look()
        settled_by = loop.time() + SETTLES_WITHIN + 2.0
        while wrong := self.wrongs():  # a phone was qualified at this moment
            await self._look()
            if loop.time() > settled_by:
                raise Lied(f"at rest: {'; '.join(wrong[:3])}")
        clients = sum(len(self.world.tasks_of(host)) for host in HOSTS)
        tasks = len(asyncio.all_tasks()) - clients - len(self.world.tasks_of("asterisk"))
        if tasks > self.tasks_at_rest + 3 * len(self.judge.taps):
            raise Lied(f"{tasks} tasks at rest, {len(self.judge.taps)} connections")

    def wrongs(self) -> list[str]:
        """What is not as it is in Asterisk and PostgreSQL."""
        return wrongs(self.service, self.clients)

    async def _end(self) -> None:
        """All clients go; then the process ends."""
        for client in list(self.judge.clients.values()):
            client.reset()
        await asyncio.sleep(0.5)
        if left := self.service.left_over():
            raise Lied(f"left over for clients that have gone: {left}")
        await self.service.stop()
        await asyncio.sleep(0.5)
        own = [task for host in ("asterisk", "driver", *HOSTS) for task in self.world._loop.net._tasks[host]]
        if tasks := [repr(task.get_coro()) for task in asyncio.all_tasks() if task not in own]:
            raise Lied(f"tasks are left over: {tasks}")
        self.check_all()

    # --- the service -------------------------------------------------------------------------------------------

    async def _start_service(self) -> None:
        service = Service(
            self.world, self.server.asterisk, self.postgresql, self.kernel, self.settings,
            max_connections=self.max_connections, kernel_buffer=self.kernel_buffer,
        )  # fmt: skip
        if (before := getattr(self, "service", None)) is not None:
            service.link = before.link
        self.service = self.judge.truth.service = service
        service.start()
        while not service.serving.is_set():
            await asyncio.sleep(0.01)
            service.check()
        self._steady_since = asyncio.get_running_loop().time()

    async def replace_service(self, seconds: float, *, gracefully: bool) -> None:
        """End the process and start another one."""
        if self._replacing:
            return
        self._replacing = True
        self._steady_since = float("inf")
        if gracefully:
            await self.service.stop()
            self.judge.on_drained()
        else:
            await self.service.kill([tap.transport for tap in self.judge.taps.values()])
        await asyncio.sleep(seconds)
        await self._start_service()
        self._replacing = False

    @property
    def link(self) -> Link:
        return self.service.link

    # --- faults ------------------------------------------------------------------------------------------------

    async def _break(self) -> None:
        loop = asyncio.get_running_loop()
        began = loop.time()
        running: list[asyncio.Task[None]] = []
        for fault in self._faults:
            await asyncio.sleep(max(0.0, began + fault.at - loop.time()))
            if not can_happen(cast(Any, self), fault):
                continue
            self.world.note(f"fault {fault}")
            self._result.fault(fault.kind)
            running.append(asyncio.ensure_future(_one(self.kinds[fault.kind](self, fault))))
        await asyncio.gather(*running)

    def heal(self) -> None:
        """The faults are over; those that lasted have ended by themselves."""
        assert self.server.asterisk.running
        self.server.freeze(False)
        self.server.hold(reads=True, writes=True)
        for client in self.clients:
            client.rest()

    def user(self, fault: Fault) -> int:
        """The agent that a fault is of."""
        agents = [user for user, person in self.people.people.items() if person.role is Role.AGENT]
        return agents[fault.number % len(agents)] if agents else sorted(self.people.people)[1]

    def suspend(self, seconds: float) -> None:
        self.service.suspended(seconds)

    def is_steady_since(self, host: str, moment: float) -> bool:
        """Whether a client of this network is promised an answer to what it sent then."""
        steady = self.networks.steady_since(host, moment) and self._steady_since < moment
        return steady and not self.service.stopping

    def is_prompt_since(self, host: str, moment: float) -> bool:
        """Whether what this client sent then is answered without any wait."""
        return self.is_steady_since(host, moment)

    def is_accepted(self, connection: ClientConnection) -> bool:
        """Whether the service has taken the connection from the kernel's queue."""
        return connection.address in self.judge.taps

    def on_stream_broken(self, host: str, connection: ClientConnection) -> None:
        """A reader that reads has lost its stream without an end."""
        began = asyncio.get_running_loop().time() - 5.0
        if self.is_steady_since(host, began) and not connection.ended_by_client:
            self.judge.wrong(f"a stream of {connection.asked} broke off")

    def some_grant(self, chance: random.Random) -> Grant:
        """A valid token of somebody, or one that has ended."""
        return chance.choice(list(self.people.tokens.values()))

    async def be_rude(self, name: str, fault: Fault) -> None:
        host, chance = self.networks.of(fault), random.Random(f"{self.world.seed}:{fault.number}:rude")
        await self.world.start(host, rude.once(self, name, host, chance), f"rude {name}")

    async def crowd(self, count: int, fault: Fault) -> None:
        host, chance = self.networks.of(fault), random.Random(f"{self.world.seed}:{fault.number}:crowd")
        await self.world.start(host, crowd(self, count, fault.seconds, chance), "crowd")


async def _one(work: Any) -> None:
    await work
