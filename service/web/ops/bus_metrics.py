"""Metrics of the bus, as the process hears it that answers. There are none without a bus."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.bus.report import Bus


class BusCollector(Collector):
    """Reads the followers at each scrape."""

    def __init__(self, bus: Bus | None) -> None:
        self._bus = bus

    def collect(self) -> Iterator[Metric]:
        if self._bus is None:
            return
        yield GaugeMetricFamily(
            "connector_bus_connected",
            "1 while this process has a connection to the bus.",
            value=float(self._bus.connected()),
        )
        gauges = {
            name: GaugeMetricFamily(f"connector_bus_{name}", text, labels=("call_server",))
            for name, text in (
                ("collectors", "Collectors that are heard."),
                ("collectors_fresh", "Collectors whose map could be shown."),
                ("difference_entries", "Entries in which fresh maps of two collectors have differed for seconds."),
                ("difference_seconds", "How long the oldest of these entries has differed."),
            )
        }
        of_collectors = {
            name: GaugeMetricFamily(f"connector_bus_{name}", text, labels=("call_server", "collector"))
            for name, text in (
                ("collector_fresh", "1 for a collector whose map could be shown."),
                ("collector_followed", "1 for the collector whose map is shown."),
                ("collector_proof_age_seconds", "Age of the last proof that its map is Asterisk's."),
            )
        }
        counters = {
            name: CounterMetricFamily(f"connector_bus_{name}", text, labels=("call_server",))
            for name, text in (
                ("gaps", "Changes that did not arrive; 0 where all is well."),
                ("snapshots", "Snapshots taken of a collector's map."),
                ("refused", "Messages that could not be read; 0 where all is well."),
            )
        }
        for name, report in self._bus.followers.items():
            told = report()
            gauges["collectors"].add_metric((name,), len(told.collectors))
            gauges["collectors_fresh"].add_metric((name,), sum(each.fresh for each in told.collectors))
            gauges["difference_entries"].add_metric((name,), told.differing_entries)
            gauges["difference_seconds"].add_metric((name,), told.differing_seconds)
            counters["gaps"].add_metric((name,), told.gaps)
            counters["snapshots"].add_metric((name,), told.snapshots)
            counters["refused"].add_metric((name,), told.refused)
            for each in told.collectors:
                labels = (name, each.name)
                of_collectors["collector_fresh"].add_metric(labels, float(each.fresh))
                of_collectors["collector_followed"].add_metric(labels, float(each.followed))
                if each.proof_age is not None:
                    of_collectors["collector_proof_age_seconds"].add_metric(labels, each.proof_age)
        yield from gauges.values()
        yield from of_collectors.values()
        yield from counters.values()
