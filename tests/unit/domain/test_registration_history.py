"""What becomes of observed registrations: recorded, dropped, taken over, reported."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.domain.flapping import Flapping
from service.domain.registration_history import GRACE, Change, Observation, RegistrationRecorder
from service.domain.registration_report import StoredChange, StoredHistory, StoredObservation, report

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def started(**options: int) -> tuple[RegistrationRecorder, Clock]:
    """A recorder whose link is live."""
    clock = Clock()
    recorder = RegistrationRecorder(clock, **options)
    recorder.link_changed(True)
    return recorder, clock


def taken(recorder: RegistrationRecorder) -> list[Change]:
    changes = recorder.next_changes(1000)
    recorder.stored(changes)
    return changes


def test_what_is_found_first_is_not_exact_and_what_follows_is() -> None:
    recorder, clock = started()
    recorder.observe("1", True)
    clock.now += 5
    recorder.observe("1", False)
    assert taken(recorder) == [Change("1", 100.0, True, exact=False), Change("1", 105.0, False, exact=True)]
    assert (taken(recorder), recorder.waiting) == ([], 0)


def test_the_same_after_a_lost_link_is_no_transition_and_another_is_found() -> None:
    recorder, clock = started()
    recorder.observe("1", True)
    recorder.observe("2", True)
    taken(recorder)
    recorder.link_changed(False)
    recorder.observe("1", None)
    clock.now += 60
    recorder.link_changed(True)
    recorder.observe("1", True)
    recorder.observe("2", False)
    assert taken(recorder) == [Change("2", 160.0, False, exact=False)]


def test_time_without_a_link_is_not_observed() -> None:
    recorder, clock = started()
    clock.now = 130
    recorder.prove(129)
    clock.now = 135
    recorder.link_changed(False)
    clock.now = 200
    recorder.link_changed(True)
    clock.now = 210
    recorder.prove(209)
    observations = recorder.observations()
    assert observations == [Observation(100.0, 129), Observation(200, 209)]
    recorder.observed(observations)
    assert recorder.observations() == [Observation(200, 209)]


def test_a_registration_that_stays_unknown_is_recorded_as_unknown_and_a_short_doubt_is_not() -> None:
    recorder, clock = started()
    recorder.observe("1", True)
    recorder.observe("2", True)
    taken(recorder)
    clock.now = 200
    recorder.observe("1", None)
    recorder.observe("2", None)
    clock.now += GRACE / 2
    recorder.observe("2", True)
    recorder.sweep()
    assert taken(recorder) == []
    clock.now += GRACE
    recorder.sweep()
    assert taken(recorder) == [Change("1", 200, None, exact=True)]
    recorder.observe("1", True)
    assert [change.exact for change in taken(recorder)] == [False]


def test_what_a_new_link_does_not_find_is_recorded_as_unknown() -> None:
    recorder, clock = started()
    recorder.observe("1", True)
    taken(recorder)
    recorder.link_changed(False)
    clock.now = 200
    recorder.link_changed(True)
    clock.now += GRACE
    recorder.sweep()
    recorder.sweep()
    assert taken(recorder) == [Change("1", 200, None, exact=True)]


def test_memory_is_bounded_and_what_was_dropped_is_a_gap() -> None:
    recorder, clock = started(max_pending=10)
    recorder.observe("1", True)
    for step in range(20):
        clock.now += 1
        recorder.observe("1", bool(step % 2))
        assert recorder.waiting <= 11
    recorder.prove(clock.now + 1)
    (observation,) = recorder.observations()
    assert observation.since > 105
    first, *rest = taken(recorder)
    assert (first.at, first.exact) == (observation.since, False)
    assert all(change.exact for change in rest)


def test_another_writer_stores_and_this_one_continues_where_it_ended() -> None:
    recorder, clock = started()
    recorder.observe("1", True)
    recorder.observe("2", True)
    recorder.observe("4", True)
    clock.now = 110
    recorder.observe("1", False)
    recorder.drop_until(105)
    assert recorder.next_changes(10) == [Change("1", 110, False, exact=True)]
    # The other one stored 1; 2 otherwise, which is found; 3, which this one does not know; and 4 not at all.
    recorder.reconcile({"1": True, "2": False, "3": True})
    recorder.reconcile_others({"1": True, "2": False, "3": True}.keys())
    assert taken(recorder) == [
        Change("1", 110, False, exact=True),
        Change("2", 105, True, exact=False),
        Change("4", 105, True, exact=False),
    ]
    recorder.observe("3", True)
    assert taken(recorder) == []


def test_a_deleted_extension_leaves_nothing() -> None:
    recorder, _ = started()
    recorder.observe("1", True)
    recorder.forget("1")
    assert (recorder.waiting, recorder.next_changes(10)) == (0, [])
    recorder.observe("1", True)
    assert recorder.waiting == 1


def test_an_extension_flaps_after_five_losses_within_an_hour() -> None:
    clock = Clock()
    flapping = Flapping(clock)
    for _ in range(4):
        flapping.lost("main", "1")
        clock.now += 60
    assert (flapping.flaps("1"), flapping.flaps("2")) == (False, False)
    flapping.lost("main", "1")
    assert flapping.flaps("1")
    assert flapping.count() == {"main": 1}
    clock.now += 3600
    assert not flapping.flaps("1")
    assert +flapping.count() == {}
    flapping.lost("main", "1")
    flapping.forget("1")
    assert flapping.count() == {}


def test_a_loss_behind_a_short_doubt_is_told_and_what_was_not_seen_is_none() -> None:
    recorder, clock = started()
    told = [recorder.observe("1", registered) for registered in (False, True, False, False)]
    assert told == [False, False, True, False]
    told = [recorder.observe("1", registered) for registered in (True, None, False)]
    assert told == [False, False, True], "the report counts it, and so does the metric"
    recorder.observe("1", True)
    recorder.observe("1", None)
    clock.now += GRACE
    assert not recorder.observe("1", False), "when it was lost is not known"
    recorder.observe("1", True)
    recorder.link_changed(False)
    assert not recorder.observe("1", False)
    recorder.link_changed(True)
    assert not recorder.observe("1", False), "it was found so"
    losses = [change for change in taken(recorder) if change.registered is False and change.exact]
    assert len(losses) == 2


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def stored(
    *changes: tuple[float, bool | None], observed: list[tuple[float, float]], left_out: int = 0
) -> StoredHistory:
    return StoredHistory(
        now=at(0),
        changes=[StoredChange(at(minutes), registered, exact=True) for minutes, registered in changes],
        observations=[StoredObservation(at(since), at(until)) for since, until in observed],
        left_out={NOON.date(): left_out} if left_out else {},
    )


def test_time_between_observations_is_reported_as_not_observed() -> None:
    made = report(stored((-60, False), observed=[(-3000, -120), (-90, 0)]), days=1)
    assert made.not_observed == [StoredObservation(at(-120), at(-90))]
    assert (made.losses, made.flapping, made.registered_before) == (1, False, None)


def test_what_was_before_counts_only_if_nothing_was_missed() -> None:
    assert report(stored((-2000, True), observed=[(-3000, 0)]), days=1).registered_before is True
    assert report(stored((-2000, True), observed=[(-1300, 0)]), days=1).registered_before is None
    assert report(stored((-2000, None), observed=[(-3000, 0)]), days=1).registered_before is None


def test_without_any_observation_nothing_is_observed() -> None:
    made = report(stored(observed=[]), days=2)
    assert made.not_observed == [StoredObservation(at(-2 * 24 * 60), at(0))]


def test_the_rest_of_a_day_with_too_many_changes_is_not_observed() -> None:
    made = report(stored((-100, True), (-99, False), observed=[(-3000, 0)], left_out=7), days=1)
    assert made.not_observed == [StoredObservation(at(-99), at(0))]


def test_an_unknown_registration_is_not_observed_until_it_is_known() -> None:
    made = report(stored((-100, None), (-50, True), observed=[(-3000, 0)]), days=1)
    assert made.not_observed == [StoredObservation(at(-100), at(-50))]


def test_five_losses_in_an_hour_are_flapping() -> None:
    changes = [(-50.0 + minute, bool(minute % 2)) for minute in range(10)]
    assert report(stored(*changes, observed=[(-3000, 0)]), days=1).flapping
    assert not report(stored(*changes[2:], observed=[(-3000, 0)]), days=1).flapping
