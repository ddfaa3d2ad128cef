"""The metrics of all workers in one answer: Prometheus reaches whichever worker the kernel gave it.

Each worker listens on a socket of its own, which the parent made so that it outlives a worker, and tells whoever
connects what it counts. So a scrape of any of them shows the whole, with the label `worker`.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator, Sequence

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

DEADLINE = 1.0
"""Seconds that a scrape waits for a worker; one that does not tell in time is down."""


class Sample(msgspec.Struct, array_like=True):
    """One line of the exposition."""

    name: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True):
    """The lines of one metric."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


Told = list[Family]
"""What one worker tells."""
_decoder = msgspec.msgpack.Decoder(Told)


def encoded(registry: Collector) -> bytes:
    """Everything that a registry holds now."""
    return msgspec.msgpack.encode(
        [
            Family(metric.name, metric.documentation, metric.type, [Sample(*sample[:3]) for sample in metric.samples])
            for metric in registry.collect()
        ]
    )


def meeting_point() -> socket.socket:
    """What the parent makes for each worker. Linux chooses a name that is in no folder and ends with its holders."""
    one = socket.socket(socket.AF_UNIX)
    one.bind("")
    return one


class WorkerMetrics:
    """All workers of one parent, by their meeting points, in order; `number` is this one's, from 1."""

    def __init__(self, number: int, sockets: Sequence[socket.socket], restarts: int) -> None:
        self._names = [one.getsockname() for one in sockets]
        self._socket = sockets[number - 1]
        self._restarts = restarts

    @contextlib.asynccontextmanager
    async def telling(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Tell the others what this one counts, until the block ends."""

        async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                writer.write(encoded(_Alive(registry, self._restarts)))
                await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(tell, sock=self._socket, backlog=8)
        try:
            yield
        finally:
            server.close()

    async def gathered(self) -> Collector:
        """What all of them count, each sample with its worker's number."""
        return _All(await asyncio.gather(*map(_asked, self._names)))


async def _asked(name: bytes) -> Told | None:
    """What a worker tells; None for one that is starting, gone, or does not answer."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(DEADLINE):
            one = socket.socket(socket.AF_UNIX)
            one.setblocking(False)
            try:
                one.connect(name)
            except OSError:
                one.close()
                raise
            reader, writer = await asyncio.open_unix_connection(sock=one)
            return _decoder.decode(await reader.read())
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
    finally:
        if writer is not None:
            writer.close()


class _Alive(Collector):
    """A worker's metrics and what only its parent knew."""

    def __init__(self, registry: CollectorRegistry, restarts: int) -> None:
        self._registry = registry
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield CounterMetricFamily("connector_worker_restarts", "Times that it was started again.", value=self._restarts)


class _All(Collector):
    def __init__(self, told: Sequence[Told | None]) -> None:
        self._told = told

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("connector_worker_up", "1 for a worker that answers.", labels=("worker",))
        families: dict[str, Metric] = {}
        for number, told in enumerate(self._told, start=1):
            up.add_metric((str(number),), float(told is not None))
            for family in told or ():
                metric = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
        yield up
        yield from families.values()
