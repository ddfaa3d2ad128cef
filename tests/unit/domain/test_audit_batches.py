"""Batches of the audit trail: rows, counts and bounds, with both clocks in the test's hand."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin, Subject
from service.domain.audit_batches import OVERFLOW, AuditBatches, BatchRow
from service.domain.line_limit import LineLimit

HOUR = 3600.0
START = datetime(2026, 11, 26, 12, tzinfo=UTC)


class Clock:
    """Seconds since the start, and the time of day."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


class Trail:
    """Batches of disclosures, and what PostgreSQL has of them."""

    def __init__(self, max_batches: int = 100, window: float = HOUR) -> None:
        self.clock = Clock()
        self.batches = AuditBatches(Action.SECRET_DISCLOSED, window, max_batches, self.clock, self.clock.now)
        self.written: list[BatchRow] = []

    def disclose(self, key: Hashable = "a", times: int = 1) -> None:
        for _ in range(times):
            if not self.batches.count(key):
                self.batches.open(key, lambda: change(str(key)))

    def write(self, limit: int = 10, *, all_: bool = False) -> list[tuple[str | None, int]]:
        """Write all rows that are due; returns subjects and counts."""
        new: list[BatchRow] = []
        while rows := self.batches.rows(limit, all_=all_):
            assert len(rows) <= limit
            new += rows
            self.batches.stored(rows)
        self.written += new
        return [(row.change.subject.name if row.change.subject else None, row.count) for row in new]


def change(name: str) -> AuditedChange:
    return AuditedChange(Action.SECRET_DISCLOSED, Subject.extension(name), Origin(Actor(ActorKind.PERSON, "ada", 1)))


def test_the_first_of_an_hour_has_a_row_at_once_and_the_rest_one_at_its_end() -> None:
    trail = Trail()
    trail.disclose()
    assert trail.write() == [("a", 1)]
    trail.clock.seconds = 10
    trail.disclose(times=41)
    trail.clock.seconds = HOUR - 1
    assert trail.write() == []
    trail.clock.seconds = HOUR
    assert trail.write() == [("a", 41)]
    assert (trail.written[0].at, trail.written[0].since) == (START, None)
    assert (trail.written[1].at, trail.written[1].since) == (START + timedelta(hours=1), START)
    assert (len(trail.batches), trail.batches.waiting, trail.batches.rows_stored) == (0, 0, 2)


def test_a_single_one_has_one_row_and_the_next_hour_begins_with_its_own_first() -> None:
    trail = Trail()
    trail.disclose()
    assert trail.write() == [("a", 1)]
    trail.clock.seconds = HOUR
    assert trail.write() == []
    assert len(trail.batches) == 0
    trail.disclose(times=2)
    assert trail.write() == [("a", 2)]  # both before the first write: one row
    assert trail.written[-1].since == START + timedelta(hours=1)


def test_without_postgresql_a_batch_waits_and_one_row_has_all_of_it() -> None:
    trail = Trail()
    trail.disclose(times=5)
    assert [row.count for row in trail.batches.rows(10)] == [5]  # and the write fails
    trail.clock.seconds = 3 * HOUR
    trail.disclose(times=5)
    assert trail.batches.waiting == 10
    assert trail.write() == [("a", 10)]
    assert len(trail.batches) == 0


def test_what_happens_during_a_write_is_in_a_later_row() -> None:
    trail = Trail()
    trail.disclose()
    rows = trail.batches.rows(10)
    trail.disclose(times=3)
    trail.clock.seconds = HOUR
    trail.batches.stored(rows)
    assert trail.write() == [("a", 3)]


def test_what_finds_no_place_is_counted_together_without_details() -> None:
    trail = Trail(max_batches=3)
    for number in range(10):
        trail.disclose(number, times=2)
    assert (len(trail.batches), trail.batches.lost) == (4, 14)
    assert sorted(trail.write(), key=str) == [("0", 2), ("1", 2), ("2", 2), (None, 14)]
    (overflow,) = [row.change for row in trail.written if row.change.subject is None]
    assert (overflow.details, overflow.origin.address) == ({OVERFLOW: True}, None)


def test_the_end_of_the_process_writes_open_windows_too_and_in_slices() -> None:
    trail = Trail(max_batches=1000)
    for number in range(500):
        trail.disclose(number)
    trail.write(limit=7)
    for number in range(400, 500):
        trail.disclose(number)
    assert len(trail.write(limit=7, all_=True)) == 100
    assert trail.batches.waiting == 0


def test_a_window_of_nothing_gives_each_event_a_row_with_its_own_time() -> None:
    trail = Trail(window=0.0)
    for second in (0, 1, 2):
        trail.clock.seconds = second
        trail.disclose(object())
    assert [count for _, count in trail.write()] == [1, 1, 1]
    assert [row.at for row in trail.written] == [START + timedelta(seconds=second) for second in (0, 1, 2)]
    assert len(trail.batches) == 0


@given(
    st.lists(st.one_of(st.integers(0, 5), st.sampled_from(["write", "fail", "wait"])), max_size=120), st.integers(1, 4)
)
def test_every_event_is_in_exactly_one_row(steps: list[int | str], limit: int) -> None:
    trail, happened = Trail(max_batches=3), Counter[str]()
    for step in steps:
        if step == "write":
            trail.write(limit)
        elif step == "fail":
            trail.batches.rows(limit)
        elif step == "wait":
            trail.clock.seconds += HOUR / 3
        else:
            trail.disclose(step)
            happened["all"] += 1
        assert len(trail.batches) <= 4
    trail.write(limit, all_=True)
    assert sum(row.count for row in trail.written) == happened["all"]
    assert trail.batches.waiting == 0


def test_a_second_has_one_line_per_address_and_a_number_in_all() -> None:
    clock = Clock()
    limit = LineLimit(50, clock)
    admitted = [limit.admits(f"192.0.2.{number % 200}") for number in range(400)]
    assert (admitted.count(True), limit.take_left_out(), limit.take_left_out()) == (50, 350, 0)
    clock.seconds = 0.9
    assert not limit.admits("198.51.100.1")
    clock.seconds = 1.0
    assert limit.admits("192.0.2.1")
    assert not limit.admits("192.0.2.1")
    assert limit.take_left_out() == 2
