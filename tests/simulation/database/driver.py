"""Stands in for `asyncpg.connect`: opens a wire to one of the model's servers, and says what the real one would.

`ASYNC109`: the names and parameters are asyncpg's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import asyncpg
from asyncpg import connect_utils, connection

from tests.simulation.database.protocol import Protocol
from tests.simulation.database.server import Server
from tests.simulation.database.wire import Message, Network, Wire

REPORTED = ("in_hot_standby", "default_transaction_read_only")
CACHE = {"statement_cache_size": 100, "max_cached_statement_lifetime": 300, "max_cacheable_statement_size": 15 * 1024}


class Driver:
    """Opens connections to servers by host name."""

    def __init__(self, network: Network, servers: Mapping[str, Server]) -> None:
        self._network = network
        self._servers = servers
        self.opened = 0

    async def connect(
        self,
        _url: str,
        *,
        host: str,
        port: int,
        timeout: float,  # noqa: ASYNC109
        target_session_attrs: str,
        connection_class: type[asyncpg.Connection],
        server_settings: Mapping[str, str] | None = None,
        command_timeout: float | None = None,
        **_: Any,
    ) -> asyncpg.Connection:
        """As `asyncpg.connect`. Raises OSError, TimeoutError, PostgresError, TargetServerAttributeNotMatched."""
        async with asyncio.timeout(timeout):
            protocol, first = await self._open(host, (server_settings or {}).get("application_name", ""))
            match first:
                case ("lost", error):
                    raise error or ConnectionResetError("unexpected connection_lost() call")
                case ("refused", error):
                    raise error
                case ("ready", pid, parameters):
                    protocol.backend_pid = pid
                    vars(protocol.settings).update(parameters)
            standby, read_only = (vars(protocol.settings)[name] == "on" for name in REPORTED)
            if standby or (read_only and target_session_attrs == "read-write"):
                protocol.abort()
                raise asyncpg.TargetServerAttributeNotMatched(
                    "None of the hosts match the target attribute requirement"
                )
        loop = asyncio.get_running_loop()
        config = connect_utils._ClientConfiguration(command_timeout=command_timeout, **CACHE)
        make: Callable[..., asyncpg.Connection] = connection_class
        made = make(protocol, None, loop, (host, port), config, None)
        protocol.set_connection(made)
        self.opened += 1
        return made

    async def _open(self, host: str, name: str) -> tuple[Protocol, Message]:
        """A protocol and the server's first message."""
        server = self._servers[host]
        protocol = Protocol()
        session = server.open()
        session.name = name
        protocol.wire = session.wire = wire = Wire(self._network, session.receive, protocol.receive)
        server.on_session(wire)

        def greet() -> None:
            """The server takes the startup packet, once it runs."""
            if session.ended:
                return
            if not server.running:
                session.end()
                wire.down.send(("refused", ConnectionRefusedError(111, f"Connect call failed ({host})")))
            elif server.frozen or server.isolated or self._network.held["up"]:
                asyncio.get_running_loop().call_later(0.05, greet)
            elif (refusal := server.refusal()) is not None:
                session.end()
                wire.down.send(("refused", refusal))
            else:
                session.read_only = server.read_only
                wire.down.send(("ready", session.pid, server.parameters()))

        handle = asyncio.get_running_loop().call_later(2 * self._network.latency(), greet)
        try:
            return protocol, await protocol.ready
        except BaseException:
            handle.cancel()
            protocol.abort()
            raise

    async def cancel(self, *, addr: tuple[str, int], backend_pid: int, **_: Any) -> None:
        """As `asyncpg.connect_utils._cancel`: a connection of its own carries the request."""
        server = self._servers[addr[0]]
        await asyncio.sleep(2 * self._network.latency())
        if not server.running:
            raise ConnectionRefusedError(111, f"Connect call failed ({addr[0]})")
        while server.frozen or any(self._network.held.values()):  # noqa: ASYNC110 - of the world, which has no event
            await asyncio.sleep(0.05)
        if (session := server.sessions.get(backend_pid)) is not None:
            session.cancel()


@contextmanager
def installed(driver: Driver) -> Iterator[None]:
    """Let asyncpg connect to the model while the block lasts."""
    seams: list[tuple[Any, str, Any]] = [
        (asyncpg, "connect", driver.connect),
        (connect_utils, "_cancel", driver.cancel),
        (connection, "_uid", 0),  # of names of statements
    ]
    before = [getattr(module, name) for module, name, _ in seams]
    for module, name, value in seams:
        setattr(module, name, value)
    try:
        yield
    finally:
        for (module, name, _), value in zip(seams, before, strict=True):
            setattr(module, name, value)
