"""Who waits for which reading of everything."""

from __future__ import annotations

from service.db.reread_lanes import RereadLanes


def test_nobody_waits_for_a_reading_that_no_hint_asked_for() -> None:
    lanes = RereadLanes()
    assert not lanes.later(lanes.needed(behind=False), 1.0, [])
    lanes.begin(counts=False)
    assert lanes.needed(behind=False) == 0
    assert lanes.end() == []


def test_a_hint_that_comes_while_everything_is_read_needs_the_next_reading() -> None:
    lanes = RereadLanes()
    assert lanes.later(lanes.needed(behind=True), 1.0, [])
    lanes.begin(counts=True)
    assert lanes.later(lanes.needed(behind=False), 2.0, []), "the hint before is being read for"
    assert lanes.later(lanes.needed(behind=True), 3.0, []), "and this one came after that began"
    assert lanes.end() == [(2.0, [])]
    lanes.begin(counts=True)
    assert lanes.end() == [(3.0, [])]


def test_what_was_read_before_a_reading_ended_does_not_wait_for_it_any_more() -> None:
    lanes = RereadLanes()
    lanes.begin(counts=True)
    needed = lanes.needed(behind=False)
    assert lanes.end() == []
    assert not lanes.later(needed, 1.0, [])


def test_who_waited_for_a_reading_that_failed_waits_for_the_next() -> None:
    lanes = RereadLanes()
    lanes.begin(counts=True)
    assert lanes.later(lanes.needed(behind=False), 1.0, [])
    lanes.begin(counts=False)
    assert lanes.needed(behind=False) == 2, "somebody waits for it"
    assert lanes.end() == [(1.0, [])]


def test_of_two_moments_the_later_is_proved() -> None:
    lanes = RereadLanes()
    for at in (2.0, None, 1.0):
        lanes.later(lanes.needed(behind=True), at, [])
    lanes.begin(counts=True)
    assert lanes.end() == [(2.0, [])]
