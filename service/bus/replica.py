"""A follower's copy of one collector's map: complete and in step with the collector, or void. Synchronous and pure.

Changes of an epoch are numbered without a gap. A number that is missing, or another epoch, voids the copy at once; only
a snapshot makes it complete again. A snapshot comes in chunks, each as of the sequence number at which it was composed,
while changes go on. An entry of a chunk loses to a change with a higher number, and wins over one with a lower one. So
it is irrelevant whether a chunk or a change arrives first. Chunks are asked for one by one, so they come in order. The
copy is complete once the last one has arrived, and no change is missing up to its number.

An echo proves that the collector was in step with Asterisk at a moment. It counts once all changes that it names are
applied: `confirmed_at` says until when all is known, by the follower's own clock.
"""

from __future__ import annotations

from typing import Any

from service.bus.entries import TABLES, Key, Table, by_table
from service.bus.messages import Changes, Chunk, CollectorFacts, Echo
from service.domain.call_server import LinkFacts
from service.domain.device_states import Freshness

ECHO_PATIENCE = 3 / 8
"""Part of the deadline that may pass since the nonce of the last echo, before another copy is shown: an echo that is
one quarter of the deadline late is awaited, and the rest is left to change over."""
CONFIRMATION_PATIENCE = 3 / 4
"""Part of the deadline that may pass since all was known, likewise."""
NEVER = float("-inf")


class Replica:
    """The copy of the collector `name`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.tables: dict[Table, dict[Key, Any]] = {table: {} for table in TABLES}
        self.queues_known = False
        self.epoch = ""
        """Empty while the collector's link is not live, or nothing was heard of it."""
        self.complete = False
        self.sequence = 0
        """Of the last change applied."""
        self.confirmed_at = NEVER
        """The collector has told all that Asterisk sent before this moment of the follower's clock."""
        self.echoed_at = NEVER
        """When the nonce of the last echo was sent."""
        self.freshness = Freshness.DISCONNECTED
        """The freshness of the collector's link, as it last said."""
        self.facts = CollectorFacts(LinkFacts(), {}, 0)
        self.gaps = 0
        """Times that a change was missing."""
        self._begin_loading(0)

    def __len__(self) -> int:
        return sum(map(len, self.tables.values()))

    @property
    def awaited(self) -> int:
        """The number of the snapshot that is awaited; 0 if none is."""
        return 0 if self.complete else self._snapshot

    @property
    def unproven_since(self) -> float | None:
        """When the nonce was sent whose echo named changes that have not arrived; None if all have."""
        return self._unproven[0] if self._unproven is not None and self.complete else None

    def is_fresh(self, now: float, deadline: float) -> bool:
        """Whether the copy can be shown at least until the next echo is late."""
        echo_is_awaited = now - self.echoed_at <= ECHO_PATIENCE * deadline
        return self.complete and echo_is_awaited and now - self.confirmed_at <= CONFIRMATION_PATIENCE * deadline

    # --- what was heard ------------------------------------------------------------------------------------------

    def begin_epoch(self, epoch: str) -> None:
        """Void all that was said in another epoch."""
        if epoch != self.epoch:
            self.void()
            self.epoch = epoch

    def miss(self) -> None:
        """Void all: a change of this epoch is missing."""
        epoch = self.epoch
        self.gaps += 1
        self.void()
        self.epoch = epoch

    def void(self) -> None:
        """Void all, and forget the epoch: the next message tells it."""
        for table in self.tables.values():
            table.clear()
        self.queues_known = False
        self.epoch = ""
        self.confirmed_at = NEVER
        self._begin_loading(0)

    def _begin_loading(self, snapshot: int) -> None:
        self.complete = False
        self.sequence = 0
        self._snapshot = snapshot
        self._started = False  # whether `sequence` is known: a change or a chunk has told it
        self._first: int | None = None  # the first change applied; chunks from before the one before it are too old
        self._all_chunks = False
        self._needed = 0  # the newest chunk's sequence number
        self._touched: dict[tuple[Table, Key], int] = {}
        self._unproven: tuple[float, float, int] | None = None  # of an echo: nonce sent at, confirmed at, sequence

    def begin_snapshot(self, snapshot: int) -> None:
        """Forget what was applied, and wait for the chunks of a snapshot. The epoch must be known."""
        for table in self.tables.values():
            table.clear()
        self._begin_loading(snapshot)

    def change(self, changes: Changes) -> bool:
        """Apply changes of this epoch. False if one before is missing: then all is void."""
        if not self._started:
            self._started, self._first = True, changes.sequence
        elif changes.sequence <= self.sequence:
            return True  # repeated, or older than the first chunk
        elif changes.sequence != self.sequence + 1:
            self.miss()
            return False
        self.sequence = changes.sequence
        self.queues_known = changes.queues_known
        for table, values in by_table(changes.entries):
            self._put(table, values)
            if not self.complete:
                for key in values:
                    self._touched[table, key] = changes.sequence
        self._complete_if_possible()
        self._prove()
        return True

    def take_chunk(self, chunk: Chunk) -> bool:
        """Apply the next chunk of the snapshot that is awaited. False if it cannot be used: then all is void."""
        if self._first is not None and self._first > chunk.sequence + 1:
            self.miss()  # changes between the chunk and the first that was heard are missing
            return False
        if not self._started:
            self._started, self.sequence, self.queues_known = True, chunk.sequence, chunk.queues_known
        self._needed, self._all_chunks = chunk.sequence, chunk.last
        if chunk.sequence >= self.sequence:
            self.queues_known = chunk.queues_known
        for table, values in by_table(chunk.entries):
            newer = {key for key in values if self._touched.get((table, key), 0) > chunk.sequence}
            self._put(table, {key: value for key, value in values.items() if key not in newer} if newer else values)
        self._complete_if_possible()
        self._prove()
        return True

    def take_echo(self, echo: Echo, sent_at: float) -> None:
        """Take an echo, whose nonce was sent at `sent_at`. It proves nothing about another epoch."""
        self.freshness, self.facts = echo.freshness, echo.facts
        self.echoed_at = max(self.echoed_at, sent_at)
        if not echo.epoch or echo.epoch != self.epoch:
            return
        if self._unproven is None or not self.complete:
            self._unproven = sent_at, sent_at - echo.ping_age, echo.sequence
            self._prove()

    def _put(self, table: Table, values: dict[Key, Any]) -> None:
        stored = self.tables[table]
        for key, value in values.items():
            if value is None:
                stored.pop(key, None)
            else:
                stored[key] = value

    def _complete_if_possible(self) -> None:
        if self._all_chunks and self.sequence >= self._needed:
            self.complete = True
            self._touched.clear()

    def _prove(self) -> None:
        """Count the echo that waits, if all that it names is applied."""
        if self._unproven is not None and self.complete and self.sequence >= self._unproven[2]:
            self.confirmed_at = max(self.confirmed_at, self._unproven[1])
            self._unproven = None
