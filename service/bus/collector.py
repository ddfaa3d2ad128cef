"""A collector: publishes the maps of its links, and answers followers: nonces, snapshots and acts.

Several may publish the same call server, each with its own epochs: reading has no side effects, so there is no leader.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Protocol

import structlog

from service.bus.messages import (
    CollectorFacts,
    Echo,
    FromFollower,
    NoMessage,
    Nonce,
    PresenceFacts,
    PullChunk,
    ReadContacts,
    Reply,
    SetPresence,
    decode_from_follower,
    encode,
)
from service.bus.port import CollectorPort
from service.bus.published import Published, Snapshot
from service.clock import uptime
from service.domain.call_server import CallServer
from service.domain.custom_presence import Presence
from service.domain.imports.status import ImportStatus
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

MAX_SNAPSHOTS = 8
"""Snapshots under way at one time; a follower that finds no place asks again."""
SNAPSHOT_SILENCE = 2.0
"""Seconds without a pull after which a snapshot is given up."""
ANNOUNCE_INTERVAL = 0.5
"""Seconds between two announcements of the epoch."""
MAX_ACTS = 64
"""Acts under way at one time. More are refused."""


class PresenceSetter(Protocol):
    """The connection that sets presence, as far as a collector needs it."""

    @property
    def facts(self) -> PresenceFacts: ...

    async def set_presence(self, presence_id: str, presence: Presence) -> None: ...


class Collector:
    """Publishes the call servers over all ports. `run` never returns.

    It takes the hooks of the call servers, and `received` of the ports.
    """

    def __init__(
        self,
        ports: Sequence[CollectorPort],
        servers: Mapping[str, CallServer],
        presence: Mapping[str, PresenceSetter],
        imports: Mapping[str, ImportStatus],
        *,
        call_soon: Callable[[Callable[[], None]], object],
        clock: Callable[[], float] = uptime,
        new_epoch: Callable[[], str] = lambda: secrets.token_hex(8),
    ) -> None:
        self._ports = ports
        self._servers = servers
        self._presence = presence
        self._imports = imports
        self._clock = clock
        self._published = {
            name: Published(server, partial(self._publish, name), call_soon, new_epoch)
            for name, server in servers.items()
        }
        self._snapshots: dict[tuple[CollectorPort, str, str], tuple[Snapshot, float]] = {}
        """By port, follower and call server, with the time of the last pull."""
        self._acts: set[asyncio.Task[None]] = set()
        for port in ports:
            port.received = partial(self._on_message, port)

    async def run(self) -> None:
        """Run the ports until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for port in self._ports:
                    tasks.create_task(port.run(), name="bus port")
                while True:
                    await asyncio.sleep(ANNOUNCE_INTERVAL)
                    for published in self._published.values():
                        published.announce()
        finally:
            for act in self._acts:
                act.cancel()

    def _publish(self, call_server: str, body: bytes) -> None:
        for port in self._ports:
            port.publish(call_server, body)

    def _on_message(self, port: CollectorPort, call_server: str, follower: str, body: bytes) -> None:
        """Answer a follower. Whatever it sends, nothing is raised."""
        try:
            message = decode_from_follower(body)
        except NoMessage as error:
            log.debug("bus_message_refused", follower=follower, error=str(error))
            return
        if call_server in self._published:
            self._answer(port, call_server, follower, message)

    def _answer(self, port: CollectorPort, call_server: str, follower: str, message: FromFollower) -> None:
        match message:
            case Nonce():
                port.send(follower, call_server, encode(self._echo(call_server, message.nonce)))
            case PullChunk():
                if (chunk := self._next_chunk((port, follower, call_server), message)) is not None:
                    port.send(follower, call_server, chunk)
            case ReadContacts():
                self._servers[call_server].read_contacts_later(message.endpoint)
            case SetPresence():
                reply = partial(port.send, follower, call_server)
                if len(self._acts) >= MAX_ACTS:
                    reply(encode(Reply(message.act, "too many changes of presence at one time")))
                    return
                act = asyncio.create_task(self._set_presence(call_server, message, reply), name="set presence")
                self._acts.add(act)
                act.add_done_callback(self._acts.discard)

    def _echo(self, call_server: str, nonce: int) -> Echo:
        """Answer a nonce: what is read from Asterisk by now is published first."""
        published, server = self._published[call_server], self._servers[call_server]
        published.flush()
        connection = self._presence.get(call_server)
        facts = CollectorFacts(
            server.facts,
            dict(server.refused_accounts),
            server.hint_differences,
            connection.facts if connection is not None else None,
            self._imports.get(call_server),
        )
        states = server.states
        age = self._clock() - states.confirmed_at
        return Echo(nonce, published.epoch, published.sequence, age, states.freshness, states.since, facts)

    def _next_chunk(self, key: tuple[CollectorPort, str, str], pull: PullChunk) -> bytes | None:
        published = self._published[key[2]]
        now = self._clock()
        if not pull.epoch or pull.epoch != published.epoch:
            return None  # it hears of the new one
        if pull.number == 0:
            self._snapshots.pop(key, None)
            self._drop_silent(now)
            if len(self._snapshots) >= MAX_SNAPSHOTS:
                return None
            self._snapshots[key] = Snapshot(published, pull.snapshot), now
        found = self._snapshots.get(key)
        if found is None or (found[0].number, found[0].next_chunk) != (pull.snapshot, pull.number):
            return None
        snapshot = found[0]
        chunk = snapshot.compose()
        if snapshot.finished:
            del self._snapshots[key]
        else:
            self._snapshots[key] = snapshot, now
        return chunk

    def _drop_silent(self, now: float) -> None:
        for key, (snapshot, pulled_at) in list(self._snapshots.items()):
            if now - pulled_at > SNAPSHOT_SILENCE or snapshot.finished:
                del self._snapshots[key]

    async def _set_presence(self, call_server: str, message: SetPresence, reply: Callable[[bytes], None]) -> None:
        error = None
        if (connection := self._presence.get(call_server)) is None:
            error = f"call server {call_server} has no account that sets presence"
        else:
            try:
                await connection.set_presence(message.presence_id, message.presence)
            except CallServerUnavailable as failure:
                error = str(failure)
        reply(encode(Reply(message.act, error)))
