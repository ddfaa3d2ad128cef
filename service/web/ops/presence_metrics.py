"""Metrics of the connections that set presence."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.web.app_keys import PresenceConnection


class PresenceCollector(Collector):
    """Reads the connection of each call server that has an account `presence`."""

    def __init__(self, connections: Mapping[str, PresenceConnection]) -> None:
        self._connections = connections

    def collect(self) -> Iterator[Metric]:
        connected = GaugeMetricFamily(
            "connector_presence_connected", "1 while presence can be set in this call server.", labels=("call_server",)
        )
        opened = CounterMetricFamily(
            "connector_presence_connections",
            "Connections opened to set presence, each with one login.",
            labels=("call_server",),
        )
        for name, connection in self._connections.items():
            connected.add_metric((name,), float(connection.connected))
            opened.add_metric((name,), connection.opened)
        if self._connections:
            yield from (connected, opened)
