"""A real NATS server for tests, and the two ends of a bus over it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.nats import Nats
from service.bus.broker import Broker
from service.bus.nats_port import NatsCollectorPort, NatsFollowerPort
from tests.support.eventually import eventually

Message = tuple[str, str, bytes]


@pytest.fixture
def nats(tmp_path: Path) -> Iterator[Nats]:
    """A server of the test's own."""
    with Nats(tmp_path / "nats") as server:
        yield server


@dataclass
class Ends:
    """A collector's and a follower's port, and what each has heard."""

    collector: NatsCollectorPort
    follower: NatsFollowerPort
    asked: list[Message] = field(default_factory=list)
    told: list[Message] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.collector.received = lambda *message: self.asked.append(message)
        self.follower.received = lambda *message: self.told.append(message)

    @property
    def both_connected(self) -> bool:
        return self.collector.connection.connected and self.follower.connection.connected

    @property
    def neither_connected(self) -> bool:
        return not (self.collector.connection.connected or self.follower.connection.connected)

    async def connected(self, within: float = 30.0) -> None:
        await eventually(lambda: self.both_connected, within, "both ends are connected")

    def bodies(self) -> list[bytes]:
        return [body for _, _, body in self.told]


@contextlib.asynccontextmanager
async def ends(collector: Broker, follower: Broker | None = None, server: str = "main") -> AsyncIterator[Ends]:
    """Both ends, running until the block ends; not yet connected."""
    made = Ends(NatsCollectorPort(collector, [server], "c1"), NatsFollowerPort(follower or collector, [server]))
    tasks = [asyncio.create_task(end.run()) for end in (made.collector, made.follower)]
    try:
        yield made
    finally:
        for task in tasks:
            task.cancel()
        done = await asyncio.wait_for(asyncio.gather(*tasks, return_exceptions=True), 5)
        assert all(isinstance(one, asyncio.CancelledError) for one in done), done
