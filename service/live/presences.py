"""What people set of themselves: Asterisk's custom presence states, per extension, as one call server tells them.

Synchronous and pure. The list and the events that come while it is taken are merged by the snapshot rule: what an event
told meanwhile counts more (see `device_states`).
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass

PROVIDER = "CustomPresence:"
"""Asterisk's presence provider for states that are set from outside; the extension's number follows."""


class PresenceState(enum.StrEnum):
    """Asterisk's presence states, as AMI spells them (`ast_presence_state2str`)."""

    NOT_SET = "not_set"
    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    AWAY = "away"
    XA = "xa"
    CHAT = "chat"
    DND = "dnd"


@dataclass(frozen=True, slots=True)
class Presence:
    """A presence state and the words with it."""

    state: PresenceState = PresenceState.NOT_SET
    message: str = ""


NOT_SET = Presence()


def parse(presentity: str, status: str, message: str) -> tuple[str, Presence] | None:
    """The extension and its presence, or None for one that is no extension's."""
    if not presentity.startswith(PROVIDER):
        return None
    state = PresenceState(status) if status in PresenceState.__members__.values() else PresenceState.NOT_SET
    return presentity.removeprefix(PROVIDER), Presence(state, message)


class Presences:
    """The presence per extension; one that was never set is `not_set`."""

    def __init__(self) -> None:
        self._known: dict[str, Presence] = {}
        self._told: dict[str, Presence] | None = None

    def begin_snapshot(self) -> None:
        """The list is about to be asked for."""
        self._told = {}

    def end_snapshot(self, snapshot: Mapping[str, Presence]) -> None:
        """The list's end, and the Pong that closes its window, have been read."""
        self._known = {**snapshot, **(self._told or {})}
        self._told = None

    def apply(self, extension: str, presence: Presence) -> None:
        """A `PresenceStateChange` event."""
        self._known[extension] = presence
        if self._told is not None:
            self._told[extension] = presence

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self._known.clear()
        self._told = None

    def of(self, extension: str) -> Presence:
        """What somebody set, as far as the link is current."""
        return self._known.get(extension, NOT_SET)
