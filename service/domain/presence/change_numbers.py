"""Numbers changes, and finds what changed after a given number: extensions, or queues.

A deleted one stays as a tombstone for a while. Synchronous and pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container
from typing import Any, Generic, TypeVar

MAX_TOMBSTONES = 10_000
"""Deleted keys that are remembered. A reader who asks for changes before that gets a snapshot."""
K = TypeVar("K", bound=Any)
"""What changes: an extension, or a queue of a call server. Keys are sorted beside their numbers."""


class ChangeNumbers(Generic[K]):
    """`existing` contains the keys that are not deleted."""

    def __init__(self, existing: Container[K]) -> None:
        self._existing = existing
        self._newest_by_key: OrderedDict[K, int] = OrderedDict()  # oldest first
        self._tombstones = 0
        self.newest = 0
        """The number of the newest change."""
        self.forgotten = 0
        """The number of the newest change that is no longer remembered."""

    def record(self, key: K, *, created: bool, deleted: bool) -> int:
        """Record a change. Returns its number."""
        if created and key in self._newest_by_key:
            self._tombstones -= 1
        self.newest += 1
        self._newest_by_key[key] = self.newest
        self._newest_by_key.move_to_end(key)
        if deleted:
            self._tombstones += 1
            if self._tombstones > MAX_TOMBSTONES:
                self._forget_tombstones()
        return self.newest

    def since(self, number: int, keys: frozenset[K] | None = None) -> list[tuple[int, K]]:
        """Return (number of its newest change, key) for each that changed after `number`, oldest first.

        `keys` limits the result to these. The cost grows with the changes or with `keys`, whichever are fewer.
        """
        if keys is not None and len(keys) < self.newest - number:
            newest = self._newest_by_key
            return sorted((at, key) for key in keys if (at := newest.get(key, 0)) > number)
        changed = []
        for key in reversed(self._newest_by_key):
            at = self._newest_by_key[key]
            if at <= number:
                break
            if keys is None or key in keys:
                changed.append((at, key))
        changed.reverse()
        return changed

    def _forget_tombstones(self) -> None:
        """Drop the older half of the tombstones."""
        tombstones = [key for key in self._newest_by_key if key not in self._existing]
        for key in tombstones[: MAX_TOMBSTONES // 2]:
            self.forgotten = self._newest_by_key.pop(key)
            self._tombstones -= 1
