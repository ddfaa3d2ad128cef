"""One process that answers: the application behind its sockets, from its start to its last answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import structlog
from aiohttp import web

from service import demo_exposure
from service.domain.directory import Directory
from service.runtime import file_descriptors, garbage_collection, signals
from service.runtime.acceptor import listening
from service.runtime.app import running
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import HeartbeatChannel
from service.settings import Settings
from service.web import app_keys, routes
from service.web.ops.metrics import METRICS
from service.web.ops.worker_metrics import WorkerMetrics
from service.web.server import aiohttp_internals
from service.web.server.connection_limit import CONNECTION_LIMIT, LEAST
from service.web.server.dispatcher import COUNT_RESPONSE, DRAINING, OUTAGE
from service.web.server.runner import HttpRunner
from service.web.server.write_backlog import WRITE_BACKLOG

log = structlog.get_logger(__name__)

KEEPALIVE = 75.0
"""Seconds that an idle connection is kept: longer than most pollers' interval and than proxies' own timeout."""
LINGER = 1.0
"""Seconds in which each answer tells its client that the connection ends, before idle ones end without a word."""
DEMO_LOOK_EVERY = 1.0
"""Seconds between two looks for demo data that somebody loads while strangers can reach the service."""


@dataclass(frozen=True)
class Worker:
    """What one of several processes has beside the sockets."""

    heartbeat_channel: int
    worker_metrics: WorkerMetrics


async def serve(settings: Settings, sockets: Sockets, worker: Worker | None = None) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError, RuntimeError when a supervised task ended."""
    if not settings.call_servers:
        log.warning("call_servers_missing")
    aiohttp_internals.report_missing()
    file_descriptors.raise_limit()
    stop = StopSignal()
    if worker is None:
        asyncio.get_running_loop().add_signal_handler(signals.RENEWS, _log_hangup)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(sockets.close)
        heartbeat_channel = (
            await stack.enter_async_context(HeartbeatChannel(worker.heartbeat_channel, stop.set)) if worker else None
        )
        async with stop.interrupts():
            app, supervisor = await stack.enter_async_context(running(settings))
        if stop.wanted:
            return
        demo = await stack.enter_async_context(_without_demo(app[app_keys.DIRECTORY], settings, sockets, stop))
        garbage_collection.settle()
        connections = app[CONNECTION_LIMIT]
        connections.most = min(connections.most, max(LEAST, file_descriptors.left_for_clients(settings)))
        supervisor.failed.add_done_callback(lambda _: stop.set())
        if worker is not None:
            app[METRICS].worker_metrics = worker.worker_metrics
            await stack.enter_async_context(worker.worker_metrics.serving(app[METRICS].registry))
        if sockets.operators:
            await stack.enter_async_context(_answering(_for_operators(app), sockets.operators, settings, linger=0))
        linger = min(LINGER, settings.shutdown_deadline / 2)
        await stack.enter_async_context(_answering(app, sockets.public, settings, linger=linger))
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        log.info("service_started", host=settings.http_host, port=settings.http_port, loop=loop)
        if heartbeat_channel is not None:
            heartbeat_channel.ready()
        await stop.wait()
        log.info("service_stopping")
        app[DRAINING].set()
    if supervisor.failed.done():
        raise RuntimeError(supervisor.failed.result())
    if demo is not None and demo.done() and not demo.cancelled():
        raise demo_exposure.exposure_error(demo.result())


def _log_hangup() -> None:
    log.info("reload_ignored", hint="CONNECTOR_WORKERS is 1: restart the process to load new secrets or code")


@contextlib.asynccontextmanager
async def _without_demo(
    directory: Directory, settings: Settings, sockets: Sockets, stop: StopSignal
) -> AsyncIterator[asyncio.Task[str] | None]:
    """Hold the demo back from others than this machine's programs. Raises ConfigurationError when it is there already.

    The task, if there is need for one, ends when somebody loads it later, and this process with it.
    """
    bound = [one.getsockname()[0] for one in (*sockets.public, *sockets.operators)]
    how = demo_exposure.find_forbidden_exposure(settings, bound)
    if how is None:
        yield None
        return
    if _holds_demo(directory):
        raise demo_exposure.exposure_error(how)
    task = asyncio.create_task(_end_with_demo(directory, how, stop), name="demo watch")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _end_with_demo(directory: Directory, how: str, stop: StopSignal) -> str:
    while not _holds_demo(directory):  # noqa: ASYNC110 - the directory does not tell
        await asyncio.sleep(DEMO_LOOK_EVERY)
    log.critical("demo_exposed", exposure=how)
    stop.set()
    return how


def _holds_demo(directory: Directory) -> bool:
    known = any(directory.person_by_uid(uid) is not None for uid in demo_exposure.UIDS)
    return known or directory.expires_at(demo_exposure.ADMIN_TOKEN_HASH) > 0


class StopSignal:
    """The wish that this process ends: a signal, its parent's end, or a part that failed."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._block: asyncio.Timeout | None = None
        for number in signals.THAT_END:
            asyncio.get_running_loop().add_signal_handler(number, self.set)

    @property
    def wanted(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        if not self.wanted and self._block is not None:
            self._block.reschedule(asyncio.get_running_loop().time())
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    @contextlib.asynccontextmanager
    async def interrupts(self) -> AsyncIterator[None]:
        """A block that is left in the middle when the wish comes: a start may wait long for PostgreSQL."""
        try:
            async with asyncio.timeout(None) as self._block:
                yield
        except TimeoutError:
            if not self.wanted:
                raise
        finally:
            self._block = None


def _for_operators(app: web.Application) -> web.Application:
    operators = web.Application()
    operators[app_keys.SETTINGS] = app[app_keys.SETTINGS]
    operators[app_keys.DATABASE] = app[app_keys.DATABASE]
    operators[app_keys.DIRECTORY] = app[app_keys.DIRECTORY]
    operators[app_keys.LINKS] = app[app_keys.LINKS]
    operators[app_keys.UNKNOWN_CALL_SERVERS] = app[app_keys.UNKNOWN_CALL_SERVERS]
    operators[OUTAGE] = app[OUTAGE]
    operators[DRAINING] = app[DRAINING]
    operators[WRITE_BACKLOG] = app[WRITE_BACKLOG]
    operators[CONNECTION_LIMIT] = app[CONNECTION_LIMIT]
    operators[METRICS] = app[METRICS]
    operators[COUNT_RESPONSE] = app[COUNT_RESPONSE]
    operators.add_routes(routes.operators())
    return operators


@contextlib.asynccontextmanager
async def _answering(
    app: web.Application, sockets: Sequence[socket.socket], settings: Settings, *, linger: float
) -> AsyncIterator[None]:
    """Answer on these sockets. At the end no client that is there already goes without its answer."""
    patience = (settings.shutdown_deadline - linger) / 2  # aiohttp waits twice as long as it is told
    runner = HttpRunner(app, keepalive_timeout=KEEPALIVE, shutdown_timeout=patience)
    await runner.setup()
    assert runner.server is not None
    try:
        async with listening(sockets, runner.server, app[CONNECTION_LIMIT]):
            yield
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(linger):
                while runner.server.connections:  # noqa: ASYNC110 - it does not tell
                    await asyncio.sleep(0.02)
    finally:
        await runner.cleanup()
