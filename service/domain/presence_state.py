"""What people set of themselves: Asterisk's custom presence states, per extension, as one call server tells them.

Synchronous and pure.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from service.domain.snapshot import SnapshotMap

PROVIDER = "CustomPresence:"
"""Asterisk's presence provider for states that are set from outside; the extension's number follows."""


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


class PresenceStates(SnapshotMap[str, Presence]):
    """The presence per extension; one that was never set is `not_set`."""

    def of(self, extension: str) -> Presence:
        """What somebody set, as far as the link is current."""
        return self.get(extension) or NOT_SET
