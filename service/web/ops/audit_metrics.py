"""Metrics of the audit trail of disclosures and refusals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.domain.audit_batches import AuditBatches


class AuditCollector(Collector):
    """Reads the batches at each scrape."""

    def __init__(self, batches: Sequence[AuditBatches]) -> None:
        self._batches = batches

    def collect(self) -> Iterator[Metric]:
        rows = CounterMetricFamily("connector_audit_rows", "Audit rows written in batches.", labels=("action",))
        waiting = GaugeMetricFamily(
            "connector_audit_events_waiting", "Audited events that no row counts yet.", labels=("action",)
        )
        lost = CounterMetricFamily(
            "connector_audit_events_lost",
            "Audited events without details, as too many were open; a row counts them.",
            labels=("action",),
        )
        for each in self._batches:
            rows.add_metric((each.action,), each.rows_stored)
            waiting.add_metric((each.action,), each.waiting)
            lost.add_metric((each.action,), each.lost)
        yield from (rows, waiting, lost)
