"""The clock for freshness."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

uptime: Callable[[], float] = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
"""Returns monotonic seconds that include suspended time, so that data from before a suspend counts as old."""
