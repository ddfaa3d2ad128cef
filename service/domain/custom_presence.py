"""Presence states that users set: Asterisk's custom presence states per extension, on one call server.

Synchronous and pure.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from service.domain.snapshot_map import SnapshotMap

PROVIDER = "CustomPresence:"
"""Asterisk's presence provider for states that are set over AMI; the extension's number follows."""


class PresenceState(enum.StrEnum):
    """Presence state of Asterisk, in the spelling of AMI (`ast_presence_state2str`)."""

    NOT_SET = "not_set"
    UNAVAILABLE = "unavailable"
    AVAILABLE = "available"
    AWAY = "away"
    XA = "xa"
    CHAT = "chat"
    DND = "dnd"


@dataclass(frozen=True, slots=True)
class Presence:
    """A presence state and its message."""

    state: PresenceState = PresenceState.NOT_SET
    message: str = ""


NOT_SET = Presence()


def parse(presentity: str, status: str, message: str) -> tuple[str, Presence] | None:
    """Parse an event into extension and presence; None if it is not an extension's."""
    if not presentity.startswith(PROVIDER):
        return None
    state = PresenceState(status) if status in PresenceState.__members__.values() else PresenceState.NOT_SET
    return presentity.removeprefix(PROVIDER), Presence(state, message)


class CustomPresences(SnapshotMap[str, Presence]):
    """The presence per extension; `not_set` by default."""

    def of(self, extension: str) -> Presence:
        """Return an extension's presence. It is current only if the link is."""
        return self.get(extension) or NOT_SET
