"""Who waits for which reading of everything."""

from __future__ import annotations

from service.db.full_read_waits import FullReads


def test_nobody_waits_for_a_reading_that_no_hint_asked_for() -> None:
    reads = FullReads()
    assert not reads.defer(reads.required(behind=False), 1.0, [])
    reads.begin(requested=False)
    assert reads.required(behind=False) == 0
    assert reads.end() == []


def test_a_hint_that_comes_while_everything_is_read_needs_the_next_reading() -> None:
    reads = FullReads()
    assert reads.defer(reads.required(behind=True), 1.0, [])
    reads.begin(requested=True)
    assert reads.defer(reads.required(behind=False), 2.0, []), "the hint before is being read for"
    assert reads.defer(reads.required(behind=True), 3.0, []), "and this one came after that began"
    assert reads.end() == [(2.0, [])]
    reads.begin(requested=True)
    assert reads.end() == [(3.0, [])]


def test_what_was_read_before_a_reading_ended_does_not_wait_for_it_any_more() -> None:
    reads = FullReads()
    reads.begin(requested=True)
    required = reads.required(behind=False)
    assert reads.end() == []
    assert not reads.defer(required, 1.0, [])


def test_who_waited_for_a_reading_that_failed_waits_for_the_next() -> None:
    reads = FullReads()
    reads.begin(requested=True)
    assert reads.defer(reads.required(behind=False), 1.0, [])
    reads.begin(requested=False)
    assert reads.required(behind=False) == 2, "somebody waits for it"
    assert reads.end() == [(1.0, [])]


def test_of_two_moments_the_later_is_proved() -> None:
    reads = FullReads()
    for at in (2.0, None, 1.0):
        reads.defer(reads.required(behind=True), at, [])
    reads.begin(requested=True)
    assert reads.end() == [(2.0, [])]
