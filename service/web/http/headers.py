"""Headers that many responses carry."""

from __future__ import annotations

from service.domain.models import Reading
from service.domain.timestamps import rfc3339_ms

EXPOSED_HEADERS = ", ".join(
    (
        "ETag",
        "Retry-After",
        "X-Directory-Stale-Since",
        "X-Poll-Interval",
        "X-Request-Id",
        "X-State-Live",
        "X-State-Reason",
        "X-State-Since",
        "X-Unrevoked-Endpoints",
    )
)
"""The headers that a page of another origin may read."""

FRESHNESS_HEADERS = ("X-State-Live", "X-State-Reason", "X-State-Since", "X-Directory-Stale-Since")
"""The headers of a response with states."""


def not_live_headers(reading: Reading) -> dict[str, str]:
    """The headers with the reason why a state is not live; none if it is."""
    if reading.reason is None:
        return {}
    since = {"X-State-Since": rfc3339_ms(reading.since)} if reading.since else {}
    return {"X-State-Reason": reading.reason.value, **since}
