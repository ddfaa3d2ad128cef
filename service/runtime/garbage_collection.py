"""Tunes the garbage collector for a process with many long-lived objects and few cycles.

By default it searches for cycles whenever 700 more objects are alive than after the last search: repeatedly for each
wave of requests, and sometimes through all users and extensions. That was a tenth of the time to read a user.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

YOUNG_THRESHOLD = 5_000
"""New objects after which the collector searches them for cycles. A search takes some µs."""


@contextlib.contextmanager
def deferred() -> Iterator[None]:
    """Search for no cycles within the block: reading 100,000 users and extensions would have all of them searched."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def freeze_startup_objects() -> None:
    """Exclude all present objects from future collections. Takes a while, once."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_THRESHOLD, *gc.get_threshold()[1:])
