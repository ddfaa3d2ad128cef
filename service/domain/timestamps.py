"""Times as text."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339_ms(moment: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, rounded down. The texts sort by time. Raises OverflowError."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
