"""The extensions of each call server, of which one event can change all."""

from __future__ import annotations

from collections.abc import Set


class CallServerIndex:
    """Kept by the feed, so that a lost link need not look at the items of 100,000 extensions in one turn."""

    def __init__(self) -> None:
        self._extensions: dict[str, set[str]] = {}

    def of(self, call_server: str) -> Set[str]:
        """Return the extensions of a call server."""
        return self._extensions.get(call_server, frozenset())

    def move(self, extension: str, before: str | None, after: str | None) -> None:
        """Move an extension to another call server; None: it did not exist, or no longer does."""
        if before == after:
            return
        if before is not None:
            self._extensions[before].discard(extension)
            if not self._extensions[before]:
                del self._extensions[before]
        if after is not None:
            self._extensions.setdefault(after, set()).add(extension)
