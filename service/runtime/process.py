"""One serving process: the application and its sockets, from start to shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog
from aiohttp import web

from service import demo_exposure
from service.domain.directory import Directory
from service.runtime import file_descriptors, garbage_collection, signals
from service.runtime.acceptor import accept_connections
from service.runtime.app import run_app
from service.runtime.certificate_watch import CERTIFICATE_WATCH, CertificateWatch
from service.runtime.service_manager import ServiceManager
from service.runtime.sockets import Sockets
from service.runtime.stop_signal import StopSignal
from service.runtime.worker_channel import HeartbeatChannel
from service.settings import Settings
from service.web import app_keys, routes
from service.web.ops.metrics import METRICS
from service.web.ops.worker_metrics import WorkerMetrics
from service.web.server.certificate import SERVED_CERTIFICATE
from service.web.server.connection_limit import CONNECTION_LIMIT, MIN_CONNECTIONS
from service.web.server.dispatcher import DRAINING, PLAIN_HANDLERS, SYNC_HANDLERS
from service.web.server.runner import HttpRunner
from service.web.server.tls_handshake import TlsServer

log = structlog.get_logger(__name__)

LINGER = 1.0
"""Seconds at shutdown in which responses carry `Connection: close`, before idle connections are closed."""
DEMO_CHECK_INTERVAL = 1.0
"""Seconds between checks for demo data in a service that other machines can reach."""


@dataclass(frozen=True)
class Worker:
    """Additional parts of a process that is one of several."""

    heartbeat_channel: int
    worker_metrics: WorkerMetrics
    folder: Path | None = None
    """The folder of the sockets of this machine's collector."""


async def serve(
    settings: Settings, sockets: Sockets, worker: Worker | None = None, manager: ServiceManager | None = None
) -> None:
    """Serve until SIGTERM or SIGINT. Raises ConfigurationError, RuntimeError when a supervised task ended.

    A worker has no service manager: its parent notifies it.
    """
    manager = manager or ServiceManager()
    manager.starting(settings.database_start_deadline)
    if not settings.call_servers:
        log.warning("call_servers_missing")
    file_descriptors.raise_limit()
    stop = StopSignal()
    if worker is None:
        asyncio.get_running_loop().add_signal_handler(signals.RELOAD, _log_hangup)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(sockets.close)
        await stack.enter_async_context(manager.watchdog())
        heartbeat_channel = (
            await stack.enter_async_context(HeartbeatChannel(worker.heartbeat_channel, stop.set)) if worker else None
        )
        async with stop.interrupts():
            with garbage_collection.deferred():
                app, supervisor = await stack.enter_async_context(
                    run_app(settings, folder=worker.folder if worker else None)
                )
        if stop.requested:
            return
        if worker is None and CERTIFICATE_WATCH in app:
            asyncio.get_running_loop().add_signal_handler(signals.RELOAD, _reload_certificate, app[CERTIFICATE_WATCH])
        demo = await stack.enter_async_context(_demo_guard(app[app_keys.DIRECTORY], settings, sockets, stop))
        garbage_collection.freeze_startup_objects()
        connections = app[CONNECTION_LIMIT]
        connections.max_connections = min(
            connections.max_connections, max(MIN_CONNECTIONS, file_descriptors.left_for_clients(settings))
        )
        supervisor.failed.add_done_callback(lambda _: stop.set())
        if worker is not None:
            app[METRICS].worker_metrics = worker.worker_metrics
            await stack.enter_async_context(worker.worker_metrics.serving(app[METRICS].registry))
        if sockets.operators:
            operators = _operators_app(app)
            await stack.enter_async_context(_serve_app(operators, sockets.operators, settings, linger=0, tls=False))
        linger = min(LINGER, settings.shutdown_deadline / 2)
        await stack.enter_async_context(_serve_app(app, sockets.public, settings, linger=linger))
        loop = type(asyncio.get_running_loop()).__module__.partition(".")[0]
        log.info("service_started", host=settings.http_host, port=settings.http_port, loop=loop)
        if heartbeat_channel is not None:
            heartbeat_channel.ready()
        manager.ready()
        await stop.wait()
        log.info("service_stopping")
        manager.stopping(settings.shutdown_deadline)
        app[DRAINING].set()
    if supervisor.failed.done():
        raise RuntimeError(supervisor.failed.result())
    if demo is not None and demo.done() and not demo.cancelled():
        raise demo_exposure.exposure_error(demo.result())


def _reload_certificate(watch: CertificateWatch) -> None:
    watch.reload_now()
    _log_hangup()


def _log_hangup() -> None:
    log.info("reload_ignored", hint="CONNECTOR_WORKERS is 1: restart the process to load new secrets or code")


@contextlib.asynccontextmanager
async def _demo_guard(
    directory: Directory, settings: Settings, sockets: Sockets, stop: StopSignal
) -> AsyncIterator[asyncio.Task[str] | None]:
    """Keep an exposed service from serving the demo. Raises ConfigurationError if the demo data exists already.

    Yields a task that stops the process when demo data is loaded later; None if the service is not exposed.
    """
    bound = [listener.getsockname()[0] for listener in (*sockets.public, *sockets.operators)]
    exposure = demo_exposure.find_forbidden_exposure(settings, bound)
    if exposure is None:
        yield None
        return
    if _has_demo(directory):
        raise demo_exposure.exposure_error(exposure)
    task = asyncio.create_task(_stop_when_demo_is_loaded(directory, exposure, stop), name="demo watch")
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


async def _stop_when_demo_is_loaded(directory: Directory, exposure: str, stop: StopSignal) -> str:
    while not _has_demo(directory):  # noqa: ASYNC110 - the directory has no event for it
        await asyncio.sleep(DEMO_CHECK_INTERVAL)
    log.critical("demo_exposed", exposure=exposure)
    stop.set()
    return exposure


def _has_demo(directory: Directory) -> bool:
    has_user = any(directory.person_by_uid(uid) is not None for uid in demo_exposure.UIDS)
    return has_user or directory.expires_at(demo_exposure.ADMIN_TOKEN_HASH) > 0


def _operators_app(app: web.Application) -> web.Application:
    """Return the application of the separate port: the same parts, with the operators' calls only."""
    operators = web.Application()
    for key in app:
        if key not in (SYNC_HANDLERS, PLAIN_HANDLERS):  # those of public polls
            operators[key] = app[key]
    operators.add_routes(routes.operators())
    return operators


@contextlib.asynccontextmanager
async def _serve_app(
    app: web.Application, sockets: Sequence[socket.socket], settings: Settings, *, linger: float, tls: bool = True
) -> AsyncIterator[None]:
    """Serve on these sockets until the block ends. In-flight requests then still get their responses."""
    shutdown_timeout = (settings.shutdown_deadline - linger) / 2  # aiohttp waits up to twice this timeout
    runner = HttpRunner(app, shutdown_timeout=shutdown_timeout)
    await runner.setup()
    server = runner.server
    assert server is not None
    limit, certificate = app[CONNECTION_LIMIT], app.get(SERVED_CERTIFICATE) if tls else None
    tls_server = None if certificate is None else TlsServer(certificate, limit, server)
    try:
        async with accept_connections(sockets, tls_server or server, limit):
            yield
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(linger):
                while server.connections or (tls_server is not None and tls_server.under_way):  # noqa: ASYNC110 - no event
                    await asyncio.sleep(0.02)
    finally:
        if tls_server is not None:
            tls_server.end_handshakes()
        await runner.cleanup()
