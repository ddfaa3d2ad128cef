"""The call servers of one process: links of its own, or what collectors publish."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from service.ami.accounts import Account
from service.ami.kept_connection import KeptConnection
from service.ami.link import Link
from service.bus.broker import Broker
from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.following import FollowedImports, FollowedPresences, Following
from service.bus.messages import PresenceFacts
from service.bus.port import CollectorPort, FollowerPort
from service.db.pool import Database
from service.domain.call_server import CallServer
from service.domain.custom_presence import Presence
from service.domain.imports.status import ImportStatus
from service.domain.models import Credentials
from service.errors import ConfigurationError
from service.runtime.automatic_import import automatic_imports
from service.runtime.bus_watch import BusWatch
from service.runtime.socket_folder import FolderFollowerPort
from service.runtime.task_supervisor import Supervisor
from service.settings import Settings

if TYPE_CHECKING:  # a collector has no web server, and starts in half the time
    from service.bus.nats_port import NatsCollectorPort
    from service.web.app_keys import PresenceConnection

FIRST_STATES_DEADLINE = 3.0
"""Seconds that a follower waits at its start for states that a collector has already."""
PRESENCE_REST_AFTER = 10.0
"""Seconds after which a collector ends an unused session of `presence`: an Asterisk then has one session of each."""


@dataclass(frozen=True)
class CallServers:
    """The parts by call server, and the tasks that keep them, by name."""

    servers: Mapping[str, CallServer]
    presence: Mapping[str, PresenceConnection]
    imports: Mapping[str, ImportStatus]
    tasks: Sequence[tuple[str, Coroutine[None, None, None]]]
    following: Following | None = None
    watch: BusWatch | None = None
    """Of a process on the bus between machines."""

    def start(self, supervisor: Supervisor) -> None:
        """Start the tasks."""
        for name, task in self.tasks:
            supervisor.start(name, task)

    async def wait_for_first_states(self) -> None:
        """Wait for the states that a collector has: a new process shall not know less than the one that it replaces."""
        ends_at, following = monotonic() + FIRST_STATES_DEADLINE, self.following
        while following is not None and not following.settled and monotonic() < ends_at:  # noqa: ASYNC110 - no event
            await asyncio.sleep(0.02)


def open_call_servers(settings: Settings, import_database: Database, folder: Path | None) -> CallServers:
    """Create the call servers of a process that answers requests, by its role. Nothing runs yet."""
    broker = Broker.of(settings)
    if folder is not None:
        return followed(settings, FolderFollowerPort(folder))
    if broker is not None and settings.bus_role == "follower":
        port = _nats_port().NatsFollowerPort(broker, list(settings.call_servers))
        made = followed(settings, port)
        followers = made.following.followers if made.following is not None else {}
        watch = BusWatch("follower", lambda: port.connection.connected, settings.watchdog_deadline, followers)
        return replace(made, watch=watch)
    ports = network_ports(settings)
    made = linked(settings, import_database, ports)
    if not ports:
        return made
    return replace(made, watch=BusWatch("collector", lambda: all(each.connection.connected for each in ports)))


def network_ports(settings: Settings) -> list[NatsCollectorPort]:
    """Create the port over which a collector reaches other machines, if it does."""
    broker = Broker.of(settings)
    if broker is None or settings.bus_role != "collector":
        return []
    return [_nats_port().NatsCollectorPort(broker, list(settings.call_servers), secrets.token_hex(8))]


def _nats_port() -> Any:
    try:
        from service.bus import nats_port  # on use: NATS is an extra
    except ImportError:
        raise ConfigurationError("CONNECTOR_BUS_URL needs nats-py: install asterisk-connector[nats]") from None
    return nats_port


def linked(settings: Settings, import_database: Database, ports: Sequence[CollectorPort] = ()) -> CallServers:
    """Create links of this process, which publishes them over the ports, if there are any."""
    links = {
        name: Link(
            name,
            Account.monitor(server),
            sync=Account.sync(server),
            deadline=settings.watchdog_deadline,
            managed=server.credentials is Credentials.MANAGED,
            hint_context=server.hint_context,
        )
        for name, server in settings.call_servers.items()
    }
    imports = automatic_imports(settings, import_database, links)
    statuses = {name: automatic.status for name, automatic in imports.items()}
    presence = _presence_connections(settings, links, PRESENCE_REST_AFTER if ports else None)
    tasks = [
        *((f"link {name}", link.run()) for name, link in links.items()),
        *((f"presence connection {name}", connection.run()) for name, connection in presence.items()),
        *((f"import {name}", automatic.run()) for name, automatic in imports.items()),
    ]
    if ports:
        setters = {name: _SharedPresence(connection) for name, connection in presence.items()}
        call_soon = asyncio.get_running_loop().call_soon
        tasks.append(("collector", Collector(ports, links, setters, statuses, call_soon=call_soon).run()))
    return CallServers(links, presence, statuses, tasks)


def followed(settings: Settings, port: FollowerPort) -> CallServers:
    """Follow what collectors publish."""
    servers = {
        name: FollowedCallServer(
            name,
            deadline=settings.watchdog_deadline,
            managed=server.credentials is Credentials.MANAGED,
            hint_context=server.hint_context,
        )
        for name, server in settings.call_servers.items()
    }
    following = Following(port, servers, deadline=settings.watchdog_deadline)
    presence, imports = FollowedPresences(following, servers), FollowedImports(servers)
    return CallServers(servers, presence, imports, [("bus", following.run())], following)


@dataclass(frozen=True)
class _SharedPresence:
    """The connection that sets presence, for followers too."""

    connection: KeptConnection

    @property
    def facts(self) -> PresenceFacts:
        kept = self.connection
        return PresenceFacts(kept.connected, kept.since, kept.why_down, kept.failure, kept.remedy, kept.opened)

    async def set_presence(self, presence_id: str, presence: Presence) -> None:
        await self.connection.set_presence(presence_id, presence)


def _presence_connections(
    settings: Settings, links: Mapping[str, Link], idle_after: float | None
) -> dict[str, KeptConnection]:
    """Create a connection for each account that sets presence."""
    connections = {}
    for name, server in settings.call_servers.items():
        if (account := Account.presence(server)) is not None:
            checks = links[name].account_checks
            connections[name] = connection = KeptConnection(
                name,
                "presence",
                account,
                deadline=settings.watchdog_deadline,
                report_refusal=checks.report,
                idle_after=idle_after,
            )
            checks.on_live = connection.retry_now
    return connections
