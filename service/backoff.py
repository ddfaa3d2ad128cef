"""Backoff: the delays between retries."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(first: float = 0.5, longest: float = 10.0) -> Iterator[float]:
    """Seconds to wait before each retry: doubling from `first` to `longest`, with 30 % of jitter to spread replicas."""
    base = first
    while True:
        yield base * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
        base = min(base * 2, longest)
