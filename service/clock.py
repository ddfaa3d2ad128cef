"""The clock for freshness."""

from __future__ import annotations

import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def uptime() -> float:
    """Return monotonic seconds that include suspended time, so that data from before a suspend counts as old."""
    return time.clock_gettime(_CLOCK)
