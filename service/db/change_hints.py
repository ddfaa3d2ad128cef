"""Hints from triggers, `<kind> <key>`: gathered until they are read, in bounded memory, whoever sends them.

Every role that may connect can notify. So a hint is parsed when it comes, and it can make us read, never wait or fail:
one that is not understood, perhaps a newer release's, means everything, as too many hints do.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

MOST = 1000
"""Keys that are kept until they are read. Above that everything is read instead."""
BUSY = 0.2
"""The part of all time that reading everything may take, however often it is asked for."""
LONGEST_PAUSE = 2.0
"""Seconds between two readings of everything that hints we understand asked for: less than a proof may be late."""
MISUNDERSTOOD_EVERY = 10.0
"""Seconds between two readings of everything that hints which are not understood asked for."""
LARGEST_ID = 2**63 - 1

_HINT = re.compile(
    r"user (?P<user>0|[1-9][0-9]{0,18})"
    r"|token (?:\\x)?(?P<token>[0-9a-f]{64})"
    r"|extension (?P<extension>[A-Za-z0-9_-]{1,40})",
    re.ASCII,
)
_EVERYTHING = re.compile(r"(user|token|extension) \*")


@dataclass(slots=True)
class Rows:
    """The rows that hints named."""

    user_ids: set[int] = field(default_factory=set)
    token_hashes: set[bytes] = field(default_factory=set)
    extensions: set[str] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self.user_ids) + len(self.token_hashes) + len(self.extensions)

    def __or__(self, other: Rows) -> Rows:
        return Rows(
            self.user_ids | other.user_ids,
            self.token_hashes | other.token_hashes,
            self.extensions | other.extensions,
        )


class ChangeHints:
    """What is to be read. Pure: `clock` gives seconds that only grow."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._rows = Rows()
        self._everything = False
        self._misunderstood = False
        self._everything_from = self._misunderstood_from = float("-inf")
        self.misunderstood = 0
        """How many hints were not understood."""

    def add(self, hint: str) -> bool:
        """Take a hint. False: it is not understood."""
        if _EVERYTHING.fullmatch(hint):
            self._everything = True
        elif (found := _HINT.fullmatch(hint)) is None or int(found["user"] or 0) > LARGEST_ID:
            self._misunderstood = True
            self.misunderstood += 1
            return False
        elif found["user"]:
            self._rows.user_ids.add(int(found["user"]))
        elif found["token"]:
            self._rows.token_hashes.add(bytes.fromhex(found["token"]))
        else:
            self._rows.extensions.add(found["extension"])
        if len(self._rows) > MOST:
            self.everything()
        return True

    def everything(self) -> None:
        """Everything is to be read."""
        self._everything = True
        self._rows = Rows()

    @property
    def behind(self) -> bool:
        """Whether everything is still to be read because of a hint that is understood."""
        return self._everything

    def due_in(self) -> float | None:
        """Seconds until everything may be read, 0 for now; None: it need not be."""
        wanted = [self._everything_from] if self._everything else []
        wanted += [max(self._misunderstood_from, self._everything_from)] if self._misunderstood else []
        return max(0.0, min(wanted) - self._clock()) if wanted else None

    def take(self) -> Rows:
        """The rows to read now, which are forgotten here."""
        rows, self._rows = self._rows, Rows()
        return rows

    def take_everything(self) -> bool:
        """Whether everything is to be read now, which is forgotten here then."""
        now = self._clock()
        because = self._everything or (self._misunderstood and now >= self._misunderstood_from)
        if not because or now < self._everything_from:
            return False
        if self._misunderstood:
            self._misunderstood_from = now + MISUNDERSTOOD_EVERY
        self._everything = self._misunderstood = False
        return True

    def at_once(self) -> None:
        """Everything is to be read now, however soon after the last time."""
        self._everything_from = float("-inf")
        self.everything()

    def put_back(self, rows: Rows) -> None:
        """These were taken and could not be read."""
        self._rows |= rows
        if len(self._rows) > MOST:
            self.everything()

    def everything_was_read(self, seconds: float) -> None:
        """Everything was read, which took so long: the next time has to wait."""
        self._everything_from = self._clock() + min(LONGEST_PAUSE, seconds * (1 / BUSY - 1))
