"""Metrics of extensions. Their number does not grow with that of the extensions: no label names one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.presence.extension_counts import ExtensionCounts
from service.domain.status.facts import Trouble

LINK_DOWN, PENDING = "link-down", "pending"
_REGISTERED = {True: "yes", False: "no", None: "unknown"}


class ExtensionCollector(Collector):
    """Reads counts that the presence feed keeps."""

    def __init__(self, counts: ExtensionCounts, links: Mapping[str, CallServer]) -> None:
        self._counts = counts
        self._links = links

    def collect(self) -> Iterator[Metric]:
        extensions = GaugeMetricFamily(
            "connector_extensions",
            "Extensions by their live state, `Unknown` if it is not live, and by whether a phone is registered.",
            labels=("call_server", "state", "registered"),
        )
        for kind, count in self._counts.extensions.items():
            extensions.add_metric((kind.call_server, kind.state, _REGISTERED[kind.registered]), count)
        yield extensions
        for name, text, counts in (
            ("registrations", "Extensions that became registered.", self._counts.registrations),
            (
                "registration_losses",
                "Extensions that lost their last registration, by its end or its expiry.",
                self._counts.losses,
            ),
        ):
            counter = CounterMetricFamily(f"connector_{name}", text, labels=("call_server",))
            for call_server in {*self._links, *counts}:
                counter.add_metric((call_server,), counts[call_server])
            yield counter
        yield self._untracked()

    def _untracked(self) -> Metric:
        untracked = GaugeMetricFamily(
            "connector_untracked",
            "Devices without a known state, by the reason: the link is down, their state is being read, or what "
            "the last attempt found.",
            labels=("call_server", "reason"),
        )
        for name, link in self._links.items():
            for reason, count in _untracked_reasons(link).items():
                untracked.add_metric((name, reason), count)
        return untracked


def _untracked_reasons(link: CallServer) -> Counter[str]:
    """Count the devices without a known state by reason. Every reason has an entry."""
    reasons = Counter(dict.fromkeys((LINK_DOWN, PENDING, *map(str, Trouble)), 0))
    devices = link.untracked()
    if link.states.freshness is not Freshness.LIVE:
        reasons[LINK_DOWN] = len(devices)
        return reasons
    for device in devices:
        trouble = link.trouble_of(device)
        reasons[PENDING if trouble is None else trouble.trouble] += 1
    return reasons
