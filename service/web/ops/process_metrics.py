"""Metrics of the process: its connections, and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.web.server.connection_limit import ConnectionLimit


class ProcessCollector(Collector):
    """Reads them at each scrape."""

    def __init__(self, connections: ConnectionLimit) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "connector_clock_timestamp_seconds",
            "The process's time of day. Prometheus compares it with its own.",
            value=time.time(),
        )
        yield GaugeMetricFamily("connector_connections_open", "Connections of clients.", value=len(self._connections))
        yield CounterMetricFamily(
            "connector_connections_displaced",
            "Idle connections that were closed to make room for others.",
            value=self._connections.displaced,
        )
