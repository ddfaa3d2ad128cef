"""A map that merges snapshots and events by the snapshot rule (see `device_states`).

Synchronous and pure. Events between the request for the list and the Pong that closes its window win over the list,
additions as well as removals.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, ItemsView, Iterator, Mapping
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class SnapshotMap(Generic[Key, Value]):
    """The current values by key."""

    def __init__(self) -> None:
        self._values: dict[Key, Value] = {}
        self._events: dict[Key, Value | None] | None = None  # newest per key since the snapshot began
        self.key_set: Callable[[Key], None] | None = None
        """Called whenever a value may have been set or removed."""

    def begin_snapshot(self) -> None:
        """Begin a snapshot: the list is about to be requested."""
        self._events = {}

    def end_snapshot(self, snapshot: Mapping[Key, Value]) -> None:
        """End a snapshot: the list's end, and the Pong that closes its window, have been read."""
        events, self._events = self._events or {}, None
        merged = {**snapshot, **events}
        before, self._values = self._values, {key: value for key, value in merged.items() if value is not None}
        if self.key_set is not None:
            for key in before.keys() | self._values.keys():
                if before.get(key) != self._values.get(key):
                    self.key_set(key)

    def apply(self, key: Key, value: Value | None) -> None:
        """Apply an event; None removes the key."""
        if value is None:
            self._values.pop(key, None)
        else:
            self._values[key] = value
        if self._events is not None:
            self._events[key] = value
        if self.key_set is not None:
            self.key_set(key)

    def lost(self) -> None:
        """Forget everything: the link is lost."""
        before = list(self._values)
        self._values.clear()
        self._events = None
        if self.key_set is not None:
            for key in before:
                self.key_set(key)

    def items(self) -> ItemsView[Key, Value]:
        """Return all keys and values."""
        return self._values.items()

    def get(self, key: Key) -> Value | None:
        """Return one value."""
        return self._values.get(key)

    def __contains__(self, key: Key) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[Key]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)
