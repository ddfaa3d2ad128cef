"""Facts by key, as a list and the events around it tell them: the snapshot rule for maps that are simply set.

Synchronous and pure. What an event tells between the moment the list is asked for and the Pong that closes the window
counts more than the list: that something is there as well as that it is gone (see `device_states`).
"""

from __future__ import annotations

from collections.abc import Hashable, ItemsView, Iterator, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SnapshotMap(Generic[Key, Value]):
    """What is known by key."""

    def __init__(self) -> None:
        self._known: dict[Key, Value] = {}
        self._told: dict[Key, Value | None] | None = None

    def begin_snapshot(self) -> None:
        """The list is about to be asked for."""
        self._told = {}

    def end_snapshot(self, snapshot: Mapping[Key, Value]) -> None:
        """The list's end, and the Pong that closes its window, have been read."""
        told, self._told = self._told or {}, None
        merged = {**snapshot, **told}
        self._known = {key: value for key, value in merged.items() if value is not None}

    def apply(self, key: Key, value: Value | None) -> None:
        """What an event told; None: it is gone."""
        if value is None:
            self._known.pop(key, None)
        else:
            self._known[key] = value
        if self._told is not None:
            self._told[key] = value

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self._known.clear()
        self._told = None

    def items(self) -> ItemsView[Key, Value]:
        """All that is known."""
        return self._known.items()

    def get(self, key: Key) -> Value | None:
        """What is known of one."""
        return self._known.get(key)

    def __contains__(self, key: Key) -> bool:
        return key in self._known

    def __iter__(self) -> Iterator[Key]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
