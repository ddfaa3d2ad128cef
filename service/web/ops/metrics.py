"""Metrics for Prometheus: counters, and gauges that are read from the parts at each scrape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.db.write_access import WriteAccess
from service.domain.audit_batches import AuditBatches
from service.domain.call_server import CallServer
from service.domain.device_states import Freshness
from service.domain.directory import Directory
from service.domain.imports.status import ImportStatus
from service.domain.session_watch import SessionWatch
from service.domain.unknown_call_servers import UnknownCallServers
from service.web.app_keys import PresenceConnection
from service.web.auth.login_throttle import LoginThrottle
from service.web.http.refusals import Refusals
from service.web.ops.audit_metrics import AuditCollector
from service.web.ops.duration_metrics import RequestDurations
from service.web.ops.import_metrics import ImportCollector
from service.web.ops.presence_metrics import PresenceCollector
from service.web.ops.worker_metrics import WorkerMetrics

METHODS = frozenset(("GET", "POST", "PATCH", "PUT", "DELETE", "HEAD"))
ERRORS = (500, 503)


class StateCollector(Collector):
    """Reads the parts at each scrape, so it costs nothing in between."""

    def __init__(
        self,
        links: Mapping[str, CallServer],
        logins: LoginThrottle,
        directory: Directory,
        write_access: WriteAccess,
        streams: Sized,
        session_watch: SessionWatch,
        unknown_call_servers: UnknownCallServers,
        refusals: Refusals,
    ) -> None:
        self._refusals = refusals
        self._unknown_call_servers = unknown_call_servers
        self._directory = directory
        self._write_access = write_access
        self._links = links
        self._logins = logins
        self._streams = streams
        self._session_watch = session_watch

    def collect(self) -> Iterator[Metric]:
        age = GaugeMetricFamily("connector_directory_overdue_seconds", "Seconds by which its proof is overdue.")
        age.add_metric((), max(0.0, min(self._directory.overdue, 1e9)))
        yield age
        for name, text, count in (
            ("directory_left_out_rows", "Rows that this release cannot read.", self._directory.rows_left_out),
            (
                "database_read_only",
                "1 while PostgreSQL takes no changes.",
                int(self._write_access.read_only_since is not None),
            ),
            (
                "directory_unknown_call_server_extensions",
                "Extensions of call servers that the settings do not name.",
                sum(self._unknown_call_servers.counts.values()),
            ),
            ("streams_open", "Open event streams.", len(self._streams)),
            ("held_open", "Streams and long-polls that are held open.", len(self._session_watch)),
        ):
            yield GaugeMetricFamily(f"connector_{name}", text, value=count)
        size = GaugeMetricFamily("connector_directory_size", "Entries of the directory.", labels=("kind",))
        for kind, count in self._directory.counts().items():
            size.add_metric((kind,), count)
        yield size
        for name, text, numbers in (
            (
                "unreadable",
                "Phones whose SIP password no key of this process opens.",
                self._directory.secret_counts.unreadable,
            ),
            (
                "missing",
                "Phones without a SIP password, until a process makes one.",
                self._directory.secret_counts.without,
            ),
        ):
            phones = GaugeMetricFamily(f"connector_phones_secret_{name}", text, labels=("call_server",))
            for call_server in {*self._links, *numbers}:
                phones.add_metric((call_server,), numbers[call_server])
            yield phones
        yield CounterMetricFamily("connector_logins_refused", "Logins refused.", value=self._logins.refused)
        yield CounterMetricFamily("connector_tokens_refused", "Tokens refused.", value=self._refusals.tokens)
        freshness = GaugeMetricFamily(
            "connector_link_freshness",
            "1 for what the link to a call server is.",
            labels=("call_server", "freshness"),
        )
        gauges = {
            name: GaugeMetricFamily(f"connector_link_{name}", text, labels=("call_server",))
            for name, text in (
                ("silent", "1 while Asterisk does not prove itself within the deadline."),
                ("devices", "Devices in the live map."),
                ("untracked", "Devices that Asterisk does not track."),
                ("queues", "Queues that are known; -1 while they are not known."),
                ("queue_callers", "Calls that wait in queues; -1 while they are not known."),
                ("refused_accounts", "AMI accounts that are refused, or may not do what they are for."),
                ("last_pong_timestamp_seconds", "When Asterisk last proved itself."),
            )
        }
        differences = GaugeMetricFamily(
            "connector_hint_differences",
            "Dialplan hints whose own status is not what their devices' states give; 0 where all is well.",
            labels=("call_server",),
        )
        counters = {
            name: CounterMetricFamily(f"connector_link_{name}", text, labels=("call_server",))
            for name, text in (
                ("events", "AMI events received."),
                ("failures", "Links that ended or could not be made."),
                ("resynchronisations", "Snapshots taken."),
                ("corrections", "Devices that a later snapshot had to correct; 0 where all is well."),
            )
        }
        for name, link in self._links.items():
            for value in Freshness:
                freshness.add_metric((name, value), float(link.states.freshness is value))
            gauges["silent"].add_metric((name,), float(link.states.silent))
            gauges["devices"].add_metric((name,), len(link.states))
            gauges["untracked"].add_metric((name,), len(link.untracked()))
            gauges["queues"].add_metric((name,), len(link.queues) if link.queues is not None else -1)
            gauges["queue_callers"].add_metric((name,), link.queues.waiting if link.queues is not None else -1)
            gauges["refused_accounts"].add_metric((name,), int(link.facts.refused) + len(link.refused_accounts))
            gauges["last_pong_timestamp_seconds"].add_metric((name,), link.facts.last_pong or 0)
            differences.add_metric((name,), link.hint_differences)
            counters["events"].add_metric((name,), link.facts.events)
            counters["failures"].add_metric((name,), link.facts.failures)
            counters["resynchronisations"].add_metric((name,), link.facts.resynchronisations)
            counters["corrections"].add_metric((name,), link.facts.corrections)
        yield freshness
        yield differences
        yield from gauges.values()
        yield from counters.values()


class ResponseCounter(Collector):
    """Counts responses by route, method and status in plain integers: the library's counter is slower and locks."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}

    def count(self, route: str, method: str, status: int) -> None:
        """Count a response. `route` is a pattern, never a path that the client chose."""
        key = route, method if method in METHODS else "other", status
        self._counts[key] = self._counts.get(key, 0) + 1

    def collect(self) -> Iterator[Metric]:
        requests = CounterMetricFamily("connector_requests", "Requests answered.", labels=("route", "method", "status"))
        for (route, method, status), count in self._counts.items():
            requests.add_metric((route, method, str(status)), count)
        yield requests
        yield self._errors()

    def _errors(self) -> Metric:
        """A series that begins with the first error hides it from `increase`, so these begin with 0."""
        errors = CounterMetricFamily("connector_errors", "Requests answered with an error of ours.", labels=("status",))
        for error in ERRORS:
            count = sum(count for (_, _, status), count in self._counts.items() if status == error)
            errors.add_metric((str(error),), count)
        return errors


class Metrics:
    """The registry; one per application, so that two in one process do not collide."""

    def __init__(
        self,
        parts: StateCollector,
        imports: Mapping[str, ImportStatus],
        presence_connections: Mapping[str, PresenceConnection],
        audit: Sequence[AuditBatches],
        others: Sequence[Collector],
    ) -> None:
        self.registry = CollectorRegistry()
        self.registry.register(parts)
        self.registry.register(ImportCollector(imports))
        self.registry.register(PresenceCollector(presence_connections))
        self.registry.register(AuditCollector(audit))
        for collector in others:
            self.registry.register(collector)
        self._durations = RequestDurations()
        self.registry.register(self._durations)
        self.observe_duration = self._durations.observe
        self._responses = ResponseCounter()
        self.registry.register(self._responses)
        self.count_response = self._responses.count
        self.worker_metrics: WorkerMetrics | None = None
        """The metrics of all workers, if there are several."""

    async def exposition(self) -> bytes:
        """Prometheus's text format, with the metrics of all workers."""
        return generate_latest(
            self.registry if self.worker_metrics is None else await self.worker_metrics.collect_all()
        )


METRICS = web.AppKey("metrics", Metrics)
