"""The clock that freshness is measured with."""

from __future__ import annotations

import time


def uptime() -> float:
    """Seconds that pass also while the machine is suspended: what was known before it slept is old when it wakes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
