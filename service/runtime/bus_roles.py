"""Where a process has its call servers from: links of its own, which a collector publishes, or the bus."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from service.ami.accounts import Account
from service.ami.kept_connection import KeptConnection
from service.ami.link import Link
from service.bus.broker import Broker
from service.bus.collector import Collector
from service.bus.followed import FollowedCallServer
from service.bus.following import FollowedPresences, Following
from service.domain.call_server import CallServer
from service.domain.imports.status import ImportStatus
from service.domain.models import Credentials
from service.errors import ConfigurationError
from service.settings import Settings

if TYPE_CHECKING:
    from service.web.app_keys import PresenceConnection


@dataclass(frozen=True)
class CallServers:
    """The call servers of this process, the connections that set presence there, and the tasks of both by name."""

    all: Mapping[str, CallServer]
    presence: Mapping[str, PresenceConnection]
    tasks: Mapping[str, Coroutine[Any, Any, None]]


def follow(settings: Settings, broker: Broker) -> CallServers:
    """Follow the collectors of the bus."""
    servers = {
        name: FollowedCallServer(
            name,
            deadline=settings.watchdog_deadline,
            managed=server.credentials is Credentials.MANAGED,
            hint_context=server.hint_context,
        )
        for name, server in settings.call_servers.items()
    }
    port = _nats_port().NatsFollowerPort(broker, list(servers))
    following = Following(port, servers, deadline=settings.watchdog_deadline)
    return CallServers(servers, FollowedPresences(following, servers), {"bus": following.run()})


def link(settings: Settings) -> CallServers:
    """Have a link to each Asterisk."""
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
    presence = _presence_connections(settings, links)
    tasks = {f"link {name}": one.run() for name, one in links.items()}
    tasks |= {f"presence connection {name}": one.run() for name, one in presence.items()}
    return CallServers(links, presence, tasks)


def collector(broker: Broker, servers: CallServers, imports: Mapping[str, ImportStatus]) -> Collector:
    """Publish the call servers on the bus."""
    port = _nats_port().NatsCollectorPort(broker, list(servers.all), secrets.token_hex(8))
    return Collector([port], servers.all, servers.presence, imports, call_soon=asyncio.get_running_loop().call_soon)  # type: ignore[arg-type]


def _nats_port() -> Any:
    try:
        from service.bus import nats_port
    except ImportError:
        raise ConfigurationError("CONNECTOR_BUS_URL needs nats-py: install asterisk-connector[nats]") from None
    return nats_port


def _presence_connections(settings: Settings, links: Mapping[str, Link]) -> dict[str, KeptConnection]:
    """Create a connection for each account that sets presence."""
    connections = {}
    for name, server in settings.call_servers.items():
        if (account := Account.presence(server)) is not None:
            checks = links[name].account_checks
            connections[name] = connection = KeptConnection(
                name, "presence", account, deadline=settings.watchdog_deadline, report_refusal=checks.report
            )
            checks.on_live = connection.retry_now
    return connections
