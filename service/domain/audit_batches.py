"""Batches of equal events for the audit trail.

The first event of a window has a row at once, all others of it one row with their count. Pure and synchronous; both
clocks are passed in. Memory is bounded by the number of batches: events without a place are counted together, without
details. A batch stays until PostgreSQL has its rows, however long that takes.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin

OVERFLOW = "overflow"
"""Key of the events whose details were not kept, and name of their row's detail."""

MAX_DROPPED = 2_000
"""Batches without a further row that one call drops, so that the event loop is not held."""


@dataclass(slots=True, eq=False)
class Batch:
    """Equal events of one window. `change` describes the first."""

    change: AuditedChange
    first_at: datetime
    ends: float
    count: int = 1
    stored: int = 0
    """Number of events that rows in PostgreSQL count."""


@dataclass(frozen=True, slots=True)
class BatchRow:
    """A row to store: `count` events between `since` and `at`."""

    key: Hashable
    change: AuditedChange
    at: datetime
    count: int
    since: datetime | None = None


class AuditBatches:
    """The open batches of one kind of event. `clock` counts seconds, `now` returns the time of day.

    With a window of 0 seconds each event has a row of its own.
    """

    def __init__(
        self,
        action: Action,
        window: float,
        max_batches: int,
        clock: Callable[[], float],
        now: Callable[[], datetime],
    ) -> None:
        self.action = action
        self.rows_stored = 0
        self.lost = 0
        """Events without details, because too many batches were open."""
        self._overflow_change = AuditedChange(action, None, Origin(Actor(ActorKind.UNKNOWN)), {OVERFLOW: True})
        self._window = window
        self._max_batches = max_batches
        self._clock = clock
        self._now = now
        self._batches: dict[Hashable, Batch] = {}
        """In the order of their ends."""
        self._new: dict[Hashable, None] = {}
        """Keys of batches without a row in PostgreSQL."""

    def __contains__(self, key: Hashable) -> bool:
        """Whether `count` would count an event of this key."""
        return key in self._batches

    def count(self, key: Hashable) -> bool:
        """Count an event of an open batch. False: there is none, so `open` has to be called."""
        batch = self._batches.get(key)
        if batch is None:
            return False
        batch.count += 1
        return True

    def open(self, key: Hashable, describe: Callable[[], AuditedChange]) -> None:
        """Open a batch with its first event, unless too many are open."""
        if len(self._batches) < self._max_batches:
            change = describe()
        else:
            self.lost += 1
            key, change = OVERFLOW, self._overflow_change
            if self.count(key):
                return
        self._batches[key] = Batch(change, self._now(), self._clock() + self._window)
        self._new[key] = None

    @property
    def waiting(self) -> int:
        """Number of events that no row in PostgreSQL counts yet."""
        return sum(batch.count - batch.stored for batch in self._batches.values())

    def rows(self, limit: int, *, all_: bool = False) -> list[BatchRow]:
        """Return at most `limit` rows that are due; with `all_` also those of windows that are still open.

        Call `stored` once PostgreSQL has them. Drops the batches that need no further row.
        """
        rows = [self._row(key) for key in islice(self._new, limit)]
        now, done = self._clock(), []
        for key, batch in islice(self._batches.items(), None if all_ else MAX_DROPPED + limit):
            if len(rows) >= limit or (batch.ends > now and not all_):
                break
            if batch.count == batch.stored:
                done.append(key)
            elif key not in self._new:
                rows.append(self._row(key))
        for key in done:
            del self._batches[key]
        return rows

    def stored(self, rows: Iterable[BatchRow]) -> None:
        """Take note that PostgreSQL has these rows."""
        now = self._clock()
        for row in rows:
            batch = self._batches[row.key]
            batch.stored += row.count
            self.rows_stored += 1
            self._new.pop(row.key, None)
            if batch.ends <= now and batch.count == batch.stored:
                del self._batches[row.key]

    def _row(self, key: Hashable) -> BatchRow:
        batch = self._batches[key]
        count = batch.count - batch.stored
        if batch.stored == 0 and count == 1:
            return BatchRow(key, batch.change, batch.first_at, 1)
        return BatchRow(key, batch.change, self._now(), count, batch.first_at)

    def __len__(self) -> int:
        return len(self._batches)
