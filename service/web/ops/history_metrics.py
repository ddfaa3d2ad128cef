"""Metrics of the registration history."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.domain.flapping import Flapping
from service.domain.registration_history import RegistrationRecorder


class HistoryCollector(Collector):
    """Reads what each call server's recorder holds. `writes` says whether this process stores it."""

    def __init__(
        self, recorders: Mapping[str, RegistrationRecorder], writes: Callable[[str], bool], flapping: Flapping
    ) -> None:
        self._recorders = recorders
        self._writes = writes
        self._flapping = flapping

    def collect(self) -> Iterator[Metric]:
        flapping = GaugeMetricFamily(
            "connector_extensions_flapping",
            "Extensions that lost their registration five times within an hour.",
            labels=("call_server",),
        )
        writer = GaugeMetricFamily(
            "connector_registration_history_writer",
            "1 if this process stores the registration history of this call server: one process of all.",
            labels=("call_server",),
        )
        waiting = GaugeMetricFamily(
            "connector_registration_history_waiting",
            "Transitions that wait in memory. The processes that do not write keep those of the last seconds.",
            labels=("call_server",),
        )
        counts = self._flapping.count()
        for name, recorder in self._recorders.items():
            flapping.add_metric((name,), counts[name])
            writer.add_metric((name,), float(self._writes(name)))
            waiting.add_metric((name,), recorder.waiting)
        yield from (flapping, writer, waiting)
