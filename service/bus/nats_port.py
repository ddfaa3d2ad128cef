"""The bus over core NATS, for collectors and followers on several machines.

NATS keeps nothing and promises nothing, which is what the core asks for: see decision 0056.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence

from service.bus import nats_subjects
from service.bus.broker import Broker
from service.bus.nats_connection import NatsConnection
from service.bus.port import MAX_BODY


class NatsFollowerPort:
    """A follower's end: see `FollowerPort`. Its address is new in each process.

    It never calls `lost`: a connection to another server, or to the same one after its restart, goes on where the last
    one ended. What was missed meanwhile is a gap, and echoes that stop are noticed within the deadline.
    """

    def __init__(self, broker: Broker, call_servers: Sequence[str]) -> None:
        self.received: Callable[[str, str, bytes], None] = _nobody
        self.lost: Callable[[str | None], None] = _nobody
        self.address = secrets.token_hex(8)
        subjects = nats_subjects.heard_by_follower(list(call_servers), self.address)
        self.connection = NatsConnection(broker, "connector follower", subjects, self._hear)

    def send(self, call_server: str, body: bytes, to: str | None = None) -> None:
        self.connection.send(nats_subjects.ask(call_server, to, self.address), body)

    async def run(self) -> None:
        await self.connection.run()

    def _hear(self, subject: str, body: bytes) -> None:
        if len(body) <= MAX_BODY and (names := nats_subjects.told_by_collector(subject)) is not None:
            self.received(*names, body)


class NatsCollectorPort:
    """A collector's end: see `CollectorPort`. `collector` is its id, as followers name it."""

    def __init__(self, broker: Broker, call_servers: Sequence[str], collector: str) -> None:
        self.received: Callable[[str, str, bytes], None] = _nobody
        self._collector = collector
        subjects = nats_subjects.heard_by_collector(list(call_servers), collector)
        self.connection = NatsConnection(broker, f"connector collector {collector}", subjects, self._hear)

    def publish(self, call_server: str, body: bytes) -> None:
        self.connection.send(nats_subjects.change(call_server, self._collector), body)

    def send(self, to: str, call_server: str, body: bytes) -> None:
        self.connection.send(nats_subjects.reply(to, call_server, self._collector), body)

    async def run(self) -> None:
        await self.connection.run()

    def _hear(self, subject: str, body: bytes) -> None:
        if len(body) <= MAX_BODY and (names := nats_subjects.told_by_follower(subject)) is not None:
            self.received(*names, body)


def _nobody(*_: object) -> None:
    """The callback until the core sets one."""
