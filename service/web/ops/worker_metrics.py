"""Merges the metrics of all workers into one exposition: a scrape reaches whichever worker the kernel chooses.

Each worker listens on a Unix socket, which the parent creates so that it outlives the worker, and sends its metrics to
every client. So a scrape of any worker returns the metrics of all, with the label `worker`.
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

READ_DEADLINE = 1.0
"""Seconds that a scrape waits for a worker. A worker that does not send its metrics by then counts as down."""


class Sample(msgspec.Struct, array_like=True):
    """One line of the exposition."""

    name: str
    labels: dict[str, str]
    value: float


class MetricFamily(msgspec.Struct, array_like=True):
    """The lines of one metric."""

    name: str
    documentation: str
    type: str
    samples: list[Sample]


WorkerMetricFamilies = list[MetricFamily]
"""The metrics of one worker."""
_decoder = msgspec.msgpack.Decoder(WorkerMetricFamilies)


def encode_metrics(registry: Collector) -> bytes:
    """The current metrics of a registry."""
    return msgspec.msgpack.encode(
        [
            MetricFamily(
                metric.name, metric.documentation, metric.type, [Sample(*sample[:3]) for sample in metric.samples]
            )
            for metric in registry.collect()
        ]
    )


def create_metrics_socket() -> socket.socket:
    """A worker's socket, with an abstract name chosen by Linux: no file, and it ends with its last holder."""
    unix_socket = socket.socket(socket.AF_UNIX)
    unix_socket.bind("")
    return unix_socket


class WorkerMetrics:
    """The metrics of one parent's workers, by their `sockets` in order. `number` is this worker's, from 1."""

    def __init__(self, number: int, sockets: Sequence[socket.socket], restarts: int) -> None:
        self._names = [unix_socket.getsockname() for unix_socket in sockets]
        self._socket = sockets[number - 1]
        self._restarts = restarts

    @contextlib.asynccontextmanager
    async def serving(self, registry: CollectorRegistry) -> AsyncIterator[None]:
        """Send this worker's metrics to the others until the block ends."""

        async def send_metrics(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(ConnectionError):
                writer.write(encode_metrics(_WorkerCollector(registry, self._restarts)))
                await writer.drain()
            writer.close()

        server = await asyncio.start_unix_server(send_metrics, sock=self._socket, backlog=8)
        try:
            yield
        finally:
            server.close()

    async def collect_all(self) -> Collector:
        """The metrics of all workers, with the worker's number as a label."""
        return _MergedCollector(await asyncio.gather(*map(_read_worker, self._names)))


async def _read_worker(name: bytes) -> WorkerMetricFamilies | None:
    """A worker's metrics; None if it is starting, gone, or does not answer."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(READ_DEADLINE):
            unix_socket = socket.socket(socket.AF_UNIX)
            unix_socket.setblocking(False)
            try:
                unix_socket.connect(name)
            except OSError:
                unix_socket.close()
                raise
            reader, writer = await asyncio.open_unix_connection(sock=unix_socket)
            return _decoder.decode(await reader.read())
    except (OSError, TimeoutError, msgspec.DecodeError):
        return None
    finally:
        if writer is not None:
            writer.close()


class _WorkerCollector(Collector):
    """A worker's metrics, and its restarts, which its parent counts."""

    def __init__(self, registry: CollectorRegistry, restarts: int) -> None:
        self._registry = registry
        self._restarts = restarts

    def collect(self) -> Iterator[Metric]:
        yield from self._registry.collect()
        yield CounterMetricFamily("connector_worker_restarts", "Times that it was started again.", value=self._restarts)


class _MergedCollector(Collector):
    def __init__(self, workers: Sequence[WorkerMetricFamilies | None]) -> None:
        self._workers = workers

    def collect(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("connector_worker_up", "1 for a worker that answers.", labels=("worker",))
        families: dict[str, Metric] = {}
        for number, worker_families in enumerate(self._workers, start=1):
            up.add_metric((str(number),), float(worker_families is not None))
            for family in worker_families or ():
                metric = families.setdefault(family.name, Metric(family.name, family.documentation, family.type))
                for sample in family.samples:
                    metric.add_sample(sample.name, {**sample.labels, "worker": str(number)}, sample.value)
        yield up
        yield from families.values()
