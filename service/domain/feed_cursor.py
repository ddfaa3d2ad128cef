"""The cursor of presence and queues: what a client has seen of both. Pure.

`2f61c09a7b1e-12` is the process and a change number of presence. `2f61c09a7b1e-12-q7` adds a change number of the
queues. A client may pass its one cursor to either call: each moves its own part and returns the other as it was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import blake2b

_SEPARATOR = "-q"
_PRESENCE = "[0-9]{1,18}(?:-own)?"
_QUEUES = re.compile(r"([0-9]{1,18})((?:m[0-9a-f]{8})?)", re.ASCII)
Memberships = frozenset[tuple[str, str]]
"""Call server and name of each queue that a person is a member of."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A cursor in its parts. Only the presence feed knows whether `presence` is one of its own."""

    presence: str
    queues: str = ""
    """The queues' part with its separator, empty without one."""

    @classmethod
    def parse(cls, text: str, instance: str) -> Cursor:
        """Part a cursor that a client sent. The queues' part counts only if it is of this process."""
        presence, separator, queues = text.rpartition(_SEPARATOR)
        if not separator or _QUEUES.fullmatch(queues) is None:
            return cls(text)
        return cls(presence, separator + queues if presence.partition("-")[0] == instance else "")

    def of_presence(self, instance: str) -> str:
        """Return the presence part if it looks like one of this process; else the start of a cursor without one."""
        return self.presence if re.fullmatch(f"{instance}-{_PRESENCE}", self.presence, re.ASCII) else instance

    def __str__(self) -> str:
        return self.presence + self.queues


def queues_part(number: int, memberships: Memberships | None) -> str:
    """Make the queues' part for a reader who has seen all changes up to `number`."""
    return f"{_SEPARATOR}{number}{_mark(memberships)}"


def parse_queues_part(part: str, memberships: Memberships | None) -> int | None:
    """Return the change number in a queues' part; None without one, or if its reader saw other callers than now."""
    found = _QUEUES.fullmatch(part.removeprefix(_SEPARATOR))
    return int(found[1]) if found is not None and found[2] == _mark(memberships) else None


def _mark(memberships: Memberships | None) -> str:
    """Return what tells readers apart by the callers that they see; nothing for those who see all (None)."""
    if memberships is None:
        return ""
    return "m" + blake2b(repr(sorted(memberships)).encode("utf-8", "surrogatepass"), digest_size=4).hexdigest()
