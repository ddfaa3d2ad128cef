"""What clients can make grow has a bound, and who is refused was beyond one."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping

from service.web.app_keys import DIRECTORY, LONG_POLL_QUOTA, STREAM_QUOTA
from service.web.http.rate_limit import RATE_LIMIT
from service.web.server.connection_limit import CONNECTION_LIMIT
from tests.simulation.web.client_connection import STREAM, Request
from tests.simulation.web.service import Service
from tests.simulation.web.tap import Tap

STALE_AFTER = 5.0
"""Seconds after which a directory that nobody confirms is stale."""
ENDED_WITHIN = 3.0
"""Seconds within which a stream ends after its token; its reader may read nothing."""
LATE = 10.0
"""The most seconds that a request takes to the service."""


class Limits:
    """The limits of one universe, as its clients see them."""

    def __init__(self, wrong: Callable[[str], None]) -> None:
        self._wrong = wrong
        self.asked: defaultdict[bytes, list[float]] = defaultdict(list)
        """By token, when each request was sent, in the loop's time."""
        self._counted: Counter[tuple[float, bytes]] = Counter()

    def count(self, service: Service, request: Request) -> None:
        """A request was answered that counts."""
        window = (service.started_at + service.app[RATE_LIMIT]._window_ends, request.grant.hash)
        self._counted[window] += 1
        if self._counted[window] > service.settings.requests_per_minute:
            self._wrong(f"{self._counted[window]} requests of one token in a minute")

    def judge_too_many(self, service: Service, request: Request, headers: dict[str, str]) -> None:
        """429: the token was used more often than it may within a window."""
        limit, since = service.settings.requests_per_minute, service.app[RATE_LIMIT]._window_ends - 60 - LATE
        asked = sum(moment > since for moment in self.asked[request.grant.hash])
        if asked <= limit or not 1 <= int(headers.get("retry-after", "0")) <= 60:
            self._wrong(f"429 after {asked} requests of {limit}, Retry-After {headers.get('retry-after')}")

    def judge_unavailable(self, service: Service, request: Request, headers: dict[str, str], now: float) -> None:
        """503: too much is held, or the directory may not answer."""
        app, settings, follower = service.app, service.settings, service.follower
        if not headers.get("retry-after", "").isdigit():
            self._wrong(f"503 without Retry-After for {request}")
        quota = app[STREAM_QUOTA] if request.kind == STREAM else app[LONG_POLL_QUOTA]
        full = (request.kind == STREAM or request.wait > 0) and len(quota) >= settings.held_answers
        overdue = now - follower.confirmed_at > STALE_AFTER
        if not full and app[DIRECTORY].usable and not overdue and not follower.doubted:
            self._wrong(f"503 for {request} without a reason")

    def check(self, service: Service, taps: Collection[Tap], streams: Mapping[Tap, Request], now: float) -> None:
        """Called regularly."""
        app, settings = service.app, service.settings
        for tap in taps:
            if tap.unsent > service.kernel_buffer + service.most_unsent:
                self._wrong(f"{tap.unsent} bytes wait for {tap.peer}")
        if len(app[CONNECTION_LIMIT]) > service.max_connections and not service.stopping:
            self._wrong(f"{len(app[CONNECTION_LIMIT])} connections")
        if len(streams) > settings.held_answers:
            self._wrong(f"{len(streams)} streams are open")
        for quota, of_one in (
            (app[STREAM_QUOTA], settings.streams_per_person),
            (app[LONG_POLL_QUOTA], settings.long_polls_per_person),
        ):
            if not 0 <= len(quota) <= settings.held_answers:
                self._wrong(f"{len(quota)} held requests")
            if any(quota.count(user_id) > of_one for user_id in service.people.people):
                self._wrong("one person holds more requests than they may")
        for request in streams.values():
            ended_at = request.grant.ended_at
            if ended_at is not None and now > ended_at + ENDED_WITHIN and not service.stopping:
                self._wrong(f"the stream of {request} is open {now - ended_at:.1f} s after its token's end")
