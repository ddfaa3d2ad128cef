"""Changes by number: which extension's newest change is which, so that anybody can ask what changed since.

A vanished extension stays as a tombstone for a while. Synchronous and pure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container

TOMBSTONES = 10_000
"""Vanished extensions that are remembered; who asks for what changed before that gets the whole picture."""


class ChangeNumbers:
    """`there` says which extensions there are."""

    def __init__(self, there: Container[str]) -> None:
        self._there = there
        self._order: OrderedDict[str, int] = OrderedDict()  # extension → number of its newest change, oldest first
        self._gone = 0
        self.newest = 0
        """The number of the newest change."""
        self.forgotten = 0
        """The number of the newest change that is remembered no more."""

    def changed(self, extension: str, *, appeared: bool, vanished: bool) -> int:
        """Number a change, which has happened. Returns its number."""
        if appeared and extension in self._order:
            self._gone -= 1
        self.newest += 1
        self._order[extension] = self.newest
        self._order.move_to_end(extension)
        if vanished:
            self._gone += 1
            if self._gone > TOMBSTONES:
                self._forget()
        return self.newest

    def since(self, number: int, wanted: frozenset[str] | None = None) -> list[tuple[int, str]]:
        """Each extension that changed after this number, with the number of its newest change, oldest first.

        `wanted`: only of these. It costs what changed, or what is wanted, whichever is less.
        """
        if wanted is not None and len(wanted) < self.newest - number:
            newer = [(at, extension) for extension in wanted if (at := self._order.get(extension, 0)) > number]
            return sorted(newer)
        changed = []
        for extension in reversed(self._order):
            at = self._order[extension]
            if at <= number:
                break
            if wanted is None or extension in wanted:
                changed.append((at, extension))
        changed.reverse()
        return changed

    def _forget(self) -> None:
        """Drop the older half of the tombstones."""
        for extension in [name for name in self._order if name not in self._there][: TOMBSTONES // 2]:
            self.forgotten = self._order.pop(extension)
            self._gone -= 1
