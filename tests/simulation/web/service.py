"""One process of the service: composed and served as `service/runtime/process.py` does, up to the drain."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

from aiohttp import web

from service.ami.link import Link
from service.backoff import delays
from service.runtime.app import run_app
from service.runtime.process import LINGER, _serve_app
from service.runtime.storage import Storage
from service.settings import Settings
from service.web.app_keys import LINKS, LONG_POLL_QUOTA, PRESENCE_FEED, SESSION_WATCH, STREAM_QUOTA
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.dispatcher import DRAINING
from service.web.server.write_backlog import WRITE_BACKLOG
from tests.simulation.asterisk import Asterisk
from tests.simulation.result import Lied
from tests.simulation.server import PORT
from tests.simulation.session import SECRET
from tests.simulation.web.network import Kernel, ListeningSocket
from tests.simulation.web.people import People
from tests.simulation.world import World

MOST_UNSENT = 24_576
"""Bytes that may wait for one client: some times the snapshot of all extensions."""
SAME_MOMENT = 0.001
DEADLINE = 2.0
"""Seconds for which an answered Ping makes the link live."""
STOPS_WITHIN = 1.0
"""Seconds beyond the shutdown deadline."""


class Follower(Protocol):
    """What follows PostgreSQL for one process."""

    @property
    def confirmed_at(self) -> float:
        """The uptime before which the directory has read everything, as it says."""

    @property
    def doubted(self) -> bool:
        """Whether a call that needs PostgreSQL may be refused now."""


class PostgreSQL(Protocol):
    """Where people come from: the stand-in of the web profile, or a model of the server."""

    @property
    def people(self) -> People: ...

    @property
    def follower(self) -> Follower | None:
        """Of the newest process."""

    def open(self, settings: Settings) -> AbstractAsyncContextManager[Storage]:
        """What the application is given as its storage."""


class Service:
    """A process. `run` serves until `stop` or `kill`."""

    app: web.Application
    link: Link
    follower: Follower

    def __init__(
        self,
        world: World,
        asterisk: Asterisk,
        postgresql: PostgreSQL,
        kernel: Kernel,
        settings: Settings,
        *,
        max_connections: int,
        kernel_buffer: int,
    ) -> None:
        self.world = world
        self.asterisk = asterisk
        self.postgresql = postgresql
        self.settings = settings
        self.kernel_buffer = kernel_buffer
        self.most_unsent = MOST_UNSENT
        self.stops_within = STOPS_WITHIN
        self.max_connections = max_connections
        self.started_at = world.monotonic()
        self.killed = False
        self._jump = float("-inf"), 0.0
        self.serving = asyncio.Event()
        self._socket = ListeningSocket(kernel)
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def people(self) -> People:
        return self.postgresql.people

    @property
    def stopping(self) -> bool:
        return self._stop.is_set() or self.killed

    def start(self) -> None:
        self._task = self.world.start("connector", self._run(), "service")

    async def _run(self) -> None:
        async with run_app(self.settings, hash_rounds=4, open_storage=self.postgresql.open) as (app, supervisor):
            self.app, self.link = app, cast(Link, app[LINKS]["main"])
            self.link._delays = brisk
            assert self.postgresql.follower is not None
            self.follower = self.postgresql.follower
            app[CONNECTION_LIMIT].max_connections = self.max_connections
            linger = min(LINGER, self.settings.shutdown_deadline / 2)
            async with _serve_app(app, cast(Any, [self._socket]), self.settings, linger=linger):
                self.serving.set()
                supervisor.failed.add_done_callback(lambda _: self._stop.set())
                await self._stop.wait()
                if supervisor.failed.done():
                    raise Lied(supervisor.failed.result())
                app[DRAINING].set()

    async def stop(self) -> float:
        """SIGTERM. Returns the seconds until the process has ended. Raises Lied if that takes too long."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        self._stop.set()
        assert self._task is not None
        done, _ = await asyncio.wait([self._task], timeout=self.settings.shutdown_deadline + self.stops_within)
        if not done:
            raise Lied(f"the process has not ended {loop.time() - began:.1f} s after SIGTERM")
        self._task.result()
        return loop.time() - began

    async def kill(self, transports: list[Any]) -> None:
        """SIGKILL: the kernel resets the connections."""
        self.killed = True
        self._socket.close()
        for transport in transports:
            transport.abort()
        assert self._task is not None
        self._task.cancel()
        await asyncio.wait([self._task])

    def check(self) -> None:
        """Raises Lied if the process has ended by itself."""
        if self._task is not None and self._task.done() and not self.stopping:
            self._task.result()
            raise Lied("the process ended by itself")

    def suspended(self, seconds: float) -> None:
        """The machine is suspended at this moment, for so long."""
        self._jump = self.world.monotonic(), seconds

    def uptime_before_jump(self) -> float:
        """The uptime; in the moment of a suspension that before it."""
        at, seconds = self._jump
        return self.world.uptime() - (seconds if self.world.monotonic() - at < SAME_MOMENT else 0.0)

    def left_over(self) -> dict[str, int]:
        """What is kept for clients, which have all gone."""
        app = self.app
        kept = {
            "connections": len(app[CONNECTION_LIMIT]),
            "unsent bytes": app[WRITE_BACKLOG].bytes,
            "held requests": len(app[SESSION_WATCH]),
            "streams": len(app[STREAM_QUOTA]),
            "long polls": len(app[LONG_POLL_QUOTA]),
            "scheduled streams": len(app[STREAM_SCHEDULER]),
            "subscriptions": len(app[PRESENCE_FEED].subscriptions),
        }
        return {what: count for what, count in kept.items() if count}

    def devices_of(self, number: str) -> tuple[str, ...]:
        """The devices of an extension: its phone, and those of its hint."""
        hinted = [device for device in self.asterisk.hints.get(number, "").split("&") if device]
        return tuple(dict.fromkeys([f"PJSIP/{number}", *hinted]))


def brisk() -> Iterator[float]:
    """Delays of a link that are at most 3 s."""
    return delays(0.5, 3.0)


def settings_of(chance: random.Random, **others: Any) -> Settings:
    """The settings of a universe: limits that its clients reach, and `others`."""
    server: Any = {
        "host": "pbx.example.com",
        "ami_host": "asterisk",
        "ami_port": PORT,
        "monitor_secret": SECRET,
    }
    return Settings(
        call_servers={"main": server},
        watchdog_deadline=DEADLINE,
        directory_grace=3.0,
        requests_per_minute=chance.choice((150, 300)),
        streams_per_person=chance.choice((2, 3)),
        long_polls_per_person=2,
        held_answers=chance.choice((7, 9, 100)),
        shutdown_deadline=3.0,
        poll_interval=1,
        **others,
    )
