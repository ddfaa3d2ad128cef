"""What headers of many answers hold."""

from __future__ import annotations

from datetime import datetime

from service.domain.models import Reading

EXPOSED = ", ".join(
    (
        "ETag",
        "Retry-After",
        "X-Directory-Stale-Since",
        "X-Poll-Interval",
        "X-Request-Id",
        "X-State-Live",
        "X-State-Reason",
        "X-State-Since",
    )
)
"""Which headers a page of another origin may read."""


def rfc3339(moment: datetime) -> str:
    """A time as all headers have it: UTC, with milliseconds."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def why_not_live(reading: Reading) -> dict[str, str]:
    """The headers that tell why a state is not live; none when it is."""
    if reading.reason is None:
        return {}
    since = {"X-State-Since": rfc3339(reading.since)} if reading.since else {}
    return {"X-State-Reason": reading.reason.value, **since}
