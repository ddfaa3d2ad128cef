"""Metrics of durations: requests that wait, and the event loop's lag, which is the latency of all others."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from service.domain.histogram import Histogram

REQUEST_BOUNDS = (0.01, 0.05, 0.25, 1.0, 5.0)
HELD = frozenset({"/api/v1/presence", "/api/v1/presence/stream"})
"""Routes whose requests may be held open on purpose."""


class RequestDurations(Collector):
    """Durations of requests that waited for something, by route."""

    def __init__(self) -> None:
        self._by_route: dict[str, Histogram] = {}

    def observe(self, route: str, seconds: float) -> None:
        """Count a request. `route` is a pattern, never a path that the client chose."""
        if route in HELD:
            return
        histogram = self._by_route.get(route)
        if histogram is None:
            histogram = self._by_route[route] = Histogram(REQUEST_BOUNDS)
        histogram.observe(seconds)

    def collect(self) -> Iterator[Metric]:
        durations = HistogramMetricFamily(
            "connector_request_duration_seconds",
            "Time from a request's head to its response, for requests that wait: not polls, long polls and streams.",
            labels=("route",),
        )
        for route, histogram in self._by_route.items():
            durations.add_metric((route,), histogram.buckets(), histogram.sum)
        yield durations


class LoopLagCollector(Collector):
    """Reads what the loop's watch has measured."""

    def __init__(self, lag: Histogram) -> None:
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        lag = HistogramMetricFamily(
            "connector_loop_lag_seconds",
            "How late the event loop ran a timer, measured four times a second. Polls wait as long.",
        )
        lag.add_metric((), self._lag.buckets(), self._lag.sum)
        yield lag
