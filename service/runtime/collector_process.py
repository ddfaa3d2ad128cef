"""The collector of one machine: a process that holds the links for all workers, and answers no requests."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from time import monotonic, time

import structlog

from service.bus.port import CollectorPort
from service.clock import uptime
from service.domain.device_states import Freshness
from service.domain.directory import Directory
from service.runtime import garbage_collection
from service.runtime.call_servers import CallServers, linked, network_ports
from service.runtime.extension_assigner import ExtensionAssigner
from service.runtime.first_read import wait_until_loaded
from service.runtime.socket_folder import FolderCollectorPort
from service.runtime.stop_signal import StopSignal
from service.runtime.storage import postgresql
from service.runtime.task_supervisor import Supervisor
from service.runtime.worker_channel import CollectorParameters, HeartbeatChannel
from service.settings import Settings

log = structlog.get_logger(__name__)

LIVE_DEADLINE = 15.0
"""Seconds that a collector has, at most, until it may replace one that runs: an Asterisk may be away."""


async def serve_collector(settings: Settings, parameters: CollectorParameters) -> None:
    """Collect until SIGTERM. Raises ConfigurationError, RuntimeError when a supervised task ended."""
    stop = StopSignal()
    async with contextlib.AsyncExitStack() as stack:
        channel = await stack.enter_async_context(HeartbeatChannel(parameters.heartbeat_channel, stop.set))
        async with stop.interrupts():
            with garbage_collection.deferred():
                storage = await stack.enter_async_context(postgresql(settings))
                ports: list[CollectorPort] = [
                    FolderCollectorPort(Path(parameters.folder), parameters.name),
                    *network_ports(settings),
                ]
                call_servers = linked(settings, storage.import_database, ports)
                directory = Directory(uptime, time, grace_period=settings.directory_grace)
                call_soon = asyncio.get_running_loop().call_soon
                assigner = ExtensionAssigner(directory, call_servers.servers, call_soon)
                changes = storage.listener(directory, (assigner.directory_changed,), lambda _: None)
                supervisor = await stack.enter_async_context(Supervisor())
                call_servers.start(supervisor)
                supervisor.start("changes", changes.run())
                await wait_until_loaded(changes, supervisor, settings.database_start_deadline)
                if parameters.replaces:
                    await _wait_until_live(call_servers)
        if stop.requested:
            return
        garbage_collection.freeze_startup_objects()
        supervisor.failed.add_done_callback(lambda _: stop.set())
        log.info("collector_started", call_servers=len(call_servers.servers))
        channel.ready()
        await stop.wait()
        log.info("collector_stopping")
    if supervisor.failed.done():
        raise RuntimeError(supervisor.failed.result())


async def _wait_until_live(call_servers: CallServers) -> None:
    """Wait until every link is live, within LIVE_DEADLINE."""
    ends_at = monotonic() + LIVE_DEADLINE
    servers = call_servers.servers.values()
    while any(server.states.freshness is not Freshness.LIVE for server in servers) and monotonic() < ends_at:  # noqa: ASYNC110 - any of several
        await asyncio.sleep(0.05)
