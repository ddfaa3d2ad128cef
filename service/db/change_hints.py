"""Change hints, `<kind> <key>`, collected in bounded memory until their rows are read.

Triggers send them, but any role that may connect can. A hint can cause a read, never an error or a wait. An unknown
hint, perhaps of a newer release, causes a full read, as do too many hints.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from service.domain.models import MAX_USER_ID

MAX_ROWS = 1000
"""Collected keys above which a full read replaces single ones."""
MAX_FULL_READ_SHARE = 0.2
"""Share of time that full reads may take, however often they are requested."""
MAX_FULL_READ_PAUSE = 2.0
"""Maximum seconds between full reads that known hints requested. Less than the read barrier's deadline allows."""
UNKNOWN_HINT_INTERVAL = 10.0
"""Minimum seconds between full reads that unknown hints requested."""

_HINT = re.compile(
    r"user (?P<user>0|[1-9][0-9]{0,18})"
    r"|token (?:\\x)?(?P<token>[0-9a-f]{64})"
    r"|extension (?P<extension>[A-Za-z0-9_-]{1,40})",
    re.ASCII,
)
_EVERYTHING = re.compile(r"(user|token|extension) \*")


@dataclass(slots=True)
class Rows:
    """Keys of rows that hints named."""

    user_ids: set[int] = field(default_factory=set)
    token_hashes: set[bytes] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.user_ids) + len(self.token_hashes) + len(self.extensions)

    def holds(self, hint: str) -> bool:
        """Return whether these are keys of single rows that the hint names."""
        match = _HINT.fullmatch(hint)
        if match is None:
            return False
        if match["user"]:
            return int(match["user"]) in self.user_ids
        if match["token"]:
            return bytes.fromhex(match["token"]) in self.token_hashes
        return match["extension"] in self.extensions

    def __or__(self, other: Rows) -> Rows:
        return Rows(
            self.user_ids | other.user_ids,
            self.token_hashes | other.token_hashes,
            self.extensions | other.extensions,
        )


class ChangeHints:
    """Rows and full reads that are due. Pure: `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rows = Rows()
        self._full_read = False
        self._full_read_earliest = float("-inf")
        self._unknown_hint = False
        self._unknown_hint_earliest = float("-inf")
        self.unknown_hints = 0
        """Number of unknown hints so far."""

    def add(self, hint: str) -> bool:
        """Take a hint. Returns False if it is unknown."""
        if _EVERYTHING.fullmatch(hint):
            self._full_read = True
        elif (match := _HINT.fullmatch(hint)) is None or int(match["user"] or 0) > MAX_USER_ID:
            self._unknown_hint = True
            self.unknown_hints += 1
            return False
        elif match["user"]:
            self._rows.user_ids.add(int(match["user"]))
        elif match["token"]:
            self._rows.token_hashes.add(bytes.fromhex(match["token"]))
        else:
            self._rows.extensions.add(match["extension"])
        if len(self._rows) > MAX_ROWS:
            self.request_full_read()
        return True

    def request_full_read(self) -> None:
        """Make a full read due; it covers the collected rows."""
        self._full_read = True
        self._rows = Rows()

    def request_full_read_now(self) -> None:
        """Make a full read due now, however soon after the last one."""
        self._full_read_earliest = float("-inf")
        self.request_full_read()

    @property
    def behind(self) -> bool:
        """Whether a known hint requested a full read that has not begun."""
        return self._full_read

    def full_read_due_in(self) -> float | None:
        """Seconds until a full read may begin, 0 for now; None if none is due."""
        due = [self._full_read_earliest] if self._full_read else []
        due += [max(self._unknown_hint_earliest, self._full_read_earliest)] if self._unknown_hint else []
        return max(0.0, min(due) - self._clock()) if due else None

    def take(self) -> Rows:
        """Remove and return the collected rows."""
        rows, self._rows = self._rows, Rows()
        return rows

    def take_full_read(self) -> bool:
        """Return whether a full read may begin now, and clear the request if so."""
        now = self._clock()
        due = self._full_read or (self._unknown_hint and now >= self._unknown_hint_earliest)
        if not due or now < self._full_read_earliest:
            return False
        if self._unknown_hint:
            self._unknown_hint_earliest = now + UNKNOWN_HINT_INTERVAL
        self._full_read = self._unknown_hint = False
        return True

    def put_back(self, rows: Rows) -> None:
        """Return rows that were taken and could not be read."""
        self._rows |= rows
        if len(self._rows) > MAX_ROWS:
            self.request_full_read()

    def full_read_ended(self, seconds: float) -> None:
        """Postpone the next full read in proportion to the duration of this one."""
        pause = min(MAX_FULL_READ_PAUSE, seconds * (1 / MAX_FULL_READ_SHARE - 1))
        self._full_read_earliest = self._clock() + pause
