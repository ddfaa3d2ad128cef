"""How long the listener waits before it connects again."""

from __future__ import annotations

import random
from collections.abc import Iterator


def delays() -> Iterator[float]:
    """Seconds to wait before each next try: from a third of a second to two, with jitter so that replicas part.

    Short, because who was promoted a moment ago is to be followed within seconds.
    """
    longest = 0.4
    while True:
        yield random.uniform(0.2, longest)  # noqa: S311 - jitter
        longest = min(longest * 1.5, 2.0)
