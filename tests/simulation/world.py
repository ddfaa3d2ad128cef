"""A thin layer over simloop: one world per seed, with clocks, a network and an event loop that no real time touches.

Only this module and `loops` import simloop. Import it before anything of `service`: it replaces the functions of
`time`, so that `from time import monotonic` finds the world's. Outside a world all of them are the real ones.

Three clocks differ, as on a real machine: `monotonic` (without suspended time), `uptime` (with it), and the wall clock,
which an operator may set. Sources of chance in the standard library are closed: `random` and the system's are seeded,
and a task group cancels its tasks in their order instead of that of their addresses.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import sys
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any

from tests.simulation.loops import FastLoop, TracedLoop

START = datetime(2026, 3, 1, 12, tzinfo=UTC).timestamp()
"""The wall clock at the start of a world, in seconds since the epoch."""

HOSTS = ("connector", "asterisk")
"""The machines of a world."""

_urandom = os.urandom
_real = {name: getattr(time, name) for name in ("time", "monotonic", "clock_gettime")}
_current: World | None = None


class World:
    """One seed's world. Only if it is `traced` it keeps a journal and has a digest, at a price."""

    def __init__(self, seed: int, *, traced: bool) -> None:
        self.seed = seed
        self.entropy = random.Random(f"{seed}:entropy")
        """Instead of the system's: of tokens, secrets and ids."""
        self.suspended = 0.0
        """Seconds that the machine of the connector was suspended."""
        self.wall_offset = 0.0
        """Seconds by which the connector's wall clock is wrong."""
        self._loop = TracedLoop(seed) if traced else FastLoop(seed)
        self.traced = traced
        for host in HOSTS:
            self._loop.net.host(host)
        self._journal = hashlib.sha256()
        self.journal_tail: list[str] = []
        """The last lines of the journal."""

    # --- clocks ------------------------------------------------------------------------------------------------

    def monotonic(self) -> float:
        return self._loop._now

    def uptime(self) -> float:
        return self.monotonic() + self.suspended

    def wall(self) -> float:
        return START + self.uptime() + self.wall_offset

    # --- tasks and network -------------------------------------------------------------------------------------

    def start(self, host: str, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run a coroutine on a machine of the network."""
        task: asyncio.Task[Any] = self._loop.net.host(host).create_task(work, name=name)
        return task

    def tasks_of(self, host: str) -> list[str]:
        """The names of the tasks that run on a machine."""
        return [task.get_name() for task in self._loop.net._tasks[host]]

    def address(self, host: str) -> str:
        """The address of a machine in the network."""
        return str(self._loop.net.address(host))

    def set_latency(self, one: str, other: str, low: float, high: float) -> None:
        """Seconds that each packet between two machines takes, either way; the order of a stream stays."""
        for source, target in ((one, other), (other, one)):
            self._loop.net.host(source)
            self._loop.net.set_link(source, target, latency=(low, high))

    # --- the journal -------------------------------------------------------------------------------------------

    def note(self, line: str) -> None:
        """Add a line to the journal of a traced world. Two runs with one digest did the same."""
        if not self.traced:
            return
        entry = f"{self.monotonic():.6f} {line}"
        self._journal.update(entry.encode() + b"\n")
        self.journal_tail.append(entry)
        if len(self.journal_tail) > 2_000:
            del self.journal_tail[:1_000]

    def digest(self) -> str:
        """The journal and every decision of the event loop, as one hash; empty without a trace."""
        if not self.traced:
            return ""
        return hashlib.sha256(f"{self._journal.hexdigest()} {self._loop.trace_hash()}".encode()).hexdigest()


@dataclass(frozen=True)
class Ended:
    """How a world ended."""

    world: World
    error: BaseException | None


def run(seed: int, main: Callable[[World], Coroutine[Any, Any, Any]], *, traced: bool = False) -> Ended:
    """Run a world to its end. An error that a callback or a task raised unobserved counts as the world's."""
    global _current
    assert sys.flags.hash_randomization == 0, "sets of strings need PYTHONHASHSEED=0 to be iterated in one order"
    world = World(seed, traced=traced)
    random.seed(f"{seed}:random")
    _current = world
    error: BaseException | None = None
    try:
        world._loop.run_until_complete(main(world))
    except Exception as raised:  # the verdict on a world is its caller's
        error = raised
    finally:
        _end_tasks(world._loop)
        _current = None
        world._loop.close()
    return Ended(world, error)


def _end_tasks(loop: TracedLoop) -> None:
    """Cancel what a failed world left running, so that nobody reports it later."""
    pending = [task for tasks in loop.net._tasks.values() for task in tasks]
    for task in pending:
        task.cancel()
    if pending:
        loop.allow_more_turns()
        with contextlib.suppress(Exception):
            loop.run_until_complete(asyncio.gather(*pending, return_exceptions=True))


# --- what replaces the standard library's ------------------------------------------------------------------------


def _time() -> float:
    return float(_real["time"]()) if _current is None else _current.wall()


def _monotonic() -> float:
    return float(_real["monotonic"]()) if _current is None else _current.monotonic()


def _clock_gettime(clock: int) -> float:
    return float(_real["clock_gettime"](clock)) if _current is None else _current.uptime()


def _random_bytes(size: int) -> bytes:
    return _urandom(size) if _current is None else _current.entropy.randbytes(size)


class _AnyDatetime(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)


class _Datetime(datetime, metaclass=_AnyDatetime):
    """`datetime` whose `now` is the world's. What it makes is a plain `datetime`, which msgspec encodes."""

    def __new__(cls, *args: Any, **named: Any) -> datetime:  # type: ignore[misc]
        return datetime(*args, **named)  # noqa: DTZ001

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(_time(), tz)


class _InOrder(dict[Any, None]):
    """A set that is iterated in the order of insertion."""

    def add(self, item: Any) -> None:
        self[item] = None

    def discard(self, item: Any) -> None:
        self.pop(item, None)


class _TaskGroup(asyncio.TaskGroup):
    def __init__(self) -> None:
        super().__init__()
        self._tasks = _InOrder()  # type: ignore[assignment]


def install() -> None:
    """Replace the clocks, the system's random bytes and the task group. Once is enough."""
    time.time, time.monotonic, time.clock_gettime = _time, _monotonic, _clock_gettime
    os.urandom = random._urandom = _random_bytes  # type: ignore[attr-defined]
    asyncio.TaskGroup = _TaskGroup  # type: ignore[misc]


def install_datetime() -> None:
    """Replace `datetime` in the modules of `service`. Call it after they are imported."""
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] == "service" and getattr(module, "datetime", None) is datetime:
            module.datetime = _Datetime  # type: ignore[attr-defined]


install()
