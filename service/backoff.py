"""Exponential backoff with jitter."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays(initial: float = 0.5, maximum: float = 10.0) -> Iterator[float]:
    """Yield the seconds before each retry: doubling from `initial` to `maximum`; 30 % jitter spreads replicas."""
    base = initial
    while True:
        yield base * random.uniform(0.7, 1.3)  # noqa: S311 - jitter, not a secret
        base = min(base * 2, maximum)
