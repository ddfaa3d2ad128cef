"""Metrics of automatic imports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.domain.imports.status import ImportStatus


class ImportCollector(Collector):
    """Reads the status of each call server that is imported automatically."""

    def __init__(self, statuses: Mapping[str, ImportStatus]) -> None:
        self._statuses = statuses

    def collect(self) -> Iterator[Metric]:
        imports = CounterMetricFamily(
            "connector_imports", "Automatic imports by their result.", labels=("call_server", "result")
        )
        success = GaugeMetricFamily(
            "connector_import_last_success_timestamp_seconds",
            "When the last successful import began, 0 if none did since the start.",
            labels=("call_server",),
        )
        missing = GaugeMetricFamily(
            "connector_import_missing_phones",
            "Stored phones that the last import of this process did not find in Asterisk.",
            labels=("call_server",),
        )
        for name, status in self._statuses.items():
            for result, count in status.results.items():
                imports.add_metric((name, result), count)
            success.add_metric((name,), status.last_success or 0)
            missing.add_metric((name,), status.missing)
        if self._statuses:
            yield from (imports, success, missing)
