"""Parses AMI messages about presence. No function here raises, whatever a message holds."""

from __future__ import annotations

import re

from panoramisk.message import Message

from service.ami.actions import header_text
from service.domain.custom_presence import Presence, parse

_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_CONTROL_CHARACTERS = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse_presence(message: Message) -> tuple[str, Presence] | None:
    """The extension and its presence in a `PresenceStateChange`; None if it is not about an extension."""
    return parse(
        header_text(message, "Presentity"), header_text(message, "Status"), unescape(header_text(message, "Message"))
    )


def unescape(value: str) -> str:
    """Undo Asterisk's C escapes (`ast_escape_c`). Of the values read here, only presence messages have any.

    An escaped backslash, quote or question mark stands for itself.
    """
    return _ESCAPED.sub(lambda match: _CONTROL_CHARACTERS.get(match[1], match[1]), value)
