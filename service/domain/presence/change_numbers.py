"""Numbers changes, and finds the extensions that changed after a given number.

A deleted extension stays as a tombstone for a while. Synchronous and pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container

MAX_TOMBSTONES = 10_000
"""Deleted extensions that are remembered. A reader who asks for changes before that gets a snapshot."""


class ChangeNumbers:
    """`existing` contains the extensions that are not deleted."""

    def __init__(self, existing: Container[str]) -> None:
        self._existing = existing
        self._newest_by_extension: OrderedDict[str, int] = OrderedDict()  # oldest first
        self._tombstones = 0
        self.newest = 0
        """The number of the newest change."""
        self.forgotten = 0
        """The number of the newest change that is no longer remembered."""

    def record(self, extension: str, *, created: bool, deleted: bool) -> int:
        """Record a change. Returns its number."""
        if created and extension in self._newest_by_extension:
            self._tombstones -= 1
        self.newest += 1
        self._newest_by_extension[extension] = self.newest
        self._newest_by_extension.move_to_end(extension)
        if deleted:
            self._tombstones += 1
            if self._tombstones > MAX_TOMBSTONES:
                self._forget_tombstones()
        return self.newest

    def since(self, number: int, extensions: frozenset[str] | None = None) -> list[tuple[int, str]]:
        """Return (number of its newest change, extension) for each that changed after `number`, oldest first.

        `extensions` limits the result to these. The cost grows with the changes or with `extensions`, whichever are
        fewer.
        """
        if extensions is not None and len(extensions) < self.newest - number:
            newest = self._newest_by_extension
            return sorted((at, extension) for extension in extensions if (at := newest.get(extension, 0)) > number)
        changed = []
        for extension in reversed(self._newest_by_extension):
            at = self._newest_by_extension[extension]
            if at <= number:
                break
            if extensions is None or extension in extensions:
                changed.append((at, extension))
        changed.reverse()
        return changed

    def _forget_tombstones(self) -> None:
        """Drop the older half of the tombstones."""
        tombstones = [extension for extension in self._newest_by_extension if extension not in self._existing]
        for extension in tombstones[: MAX_TOMBSTONES // 2]:
            self.forgotten = self._newest_by_extension.pop(extension)
            self._tombstones -= 1
