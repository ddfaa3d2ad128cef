"""What AMI tells of presence, as values. Nothing in here raises, whatever a message holds."""

from __future__ import annotations

import re

from panoramisk.message import Message

from service.ami.protocol import text
from service.domain.presence_state import Presence, parse

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LETTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse_presence(message: Message) -> tuple[str, Presence] | None:
    """The extension and its presence of a `PresenceStateChange`; None for one that is no extension's."""
    return parse(text(message, "Presentity"), text(message, "Status"), unescaped(text(message, "Message")))


def unescaped(value: str) -> str:
    """A value that Asterisk escaped as C does (`ast_escape_c`): of what this service reads, only presence messages.

    Besides the letters, a backslash, a quote and a question mark are escaped: they stand for their second character.
    """
    return _ESCAPED.sub(lambda found: _LETTERS.get(found[1], found[1]), value)
