"""The live map: what it says of a device, and when it says nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from service.domain.device_states import DeviceStates, Freshness
from service.domain.models import DeviceState, NotLive, Reading

A, B = "PJSIP/1", "PJSIP/2"
IDLE, BUSY, AWAY = DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.UNAVAILABLE


class Clock:
    """Seconds that pass when the test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def states(clock: Clock) -> DeviceStates:
    return DeviceStates(clock, deadline=10)


def live(states: DeviceStates, snapshot: dict[str, DeviceState], at: float = 1000.0) -> None:
    """As a link does it."""
    states.connecting()
    states.synchronising()
    states.begin_snapshot()
    states.end_snapshot(snapshot)
    states.confirm(at)


def told(states: DeviceStates, device: str = A) -> tuple[DeviceState, NotLive | None]:
    reading = states.read(device)
    return reading.state, reading.reason


def test_nothing_is_live_before_the_snapshot_has_ended(states: DeviceStates) -> None:
    assert told(states) == (DeviceState.UNKNOWN, NotLive.DISCONNECTED)
    states.connecting()
    assert told(states) == (DeviceState.UNKNOWN, NotLive.DISCONNECTED)
    states.synchronising()
    states.begin_snapshot()
    states.apply(A, IDLE)
    assert told(states) == (DeviceState.UNKNOWN, NotLive.SYNCHRONISING)
    states.end_snapshot({})
    states.confirm(1000)
    assert told(states) == (IDLE, None)


def test_live_event_wins_over_older_snapshot(states: DeviceStates) -> None:
    states.synchronising()
    states.begin_snapshot()
    states.apply(A, BUSY)
    states.end_snapshot({A: IDLE, B: IDLE})
    states.confirm(1000)
    assert (told(states, A), told(states, B)) == ((BUSY, None), (IDLE, None))


def test_snapshot_wins_over_older_event(states: DeviceStates) -> None:
    live(states, {A: IDLE})
    states.apply(A, BUSY)
    states.begin_snapshot()
    states.end_snapshot({A: IDLE})
    assert told(states) == (IDLE, None)


def test_a_device_in_neither_snapshot_nor_event_is_untracked_again(states: DeviceStates) -> None:
    live(states, {A: IDLE, B: IDLE})
    states.begin_snapshot()
    states.end_snapshot({B: IDLE})
    assert told(states, A) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)


def test_a_lost_link_forgets_everything_at_once(states: DeviceStates) -> None:
    live(states, {A: IDLE})
    states.lost()
    assert told(states) == (DeviceState.UNKNOWN, NotLive.DISCONNECTED)
    live(states, {})
    assert told(states) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)


def test_a_link_lost_in_the_middle_of_a_snapshot_begins_anew(states: DeviceStates) -> None:
    states.synchronising()
    states.begin_snapshot()
    states.apply(A, BUSY)
    states.lost()
    live(states, {A: IDLE})
    assert told(states) == (IDLE, None)


def test_silence_beyond_the_deadline_is_not_live_until_asterisk_proves_itself(
    states: DeviceStates, clock: Clock
) -> None:
    live(states, {A: IDLE})
    clock.now += 10
    assert told(states) == (IDLE, None)
    clock.now += 0.1
    assert told(states) == (DeviceState.UNKNOWN, NotLive.SILENT)
    since = states.read(A).since
    assert since is not None
    assert abs(datetime.now(UTC) - since - timedelta(seconds=10.1)) < timedelta(seconds=1)
    states.confirm(clock.now)
    assert told(states) == (IDLE, None)


def test_an_older_proof_does_not_undo_a_newer_one(states: DeviceStates, clock: Clock) -> None:
    live(states, {A: IDLE}, at=1000)
    states.confirm(900)
    clock.now = 1009
    assert told(states) == (IDLE, None)


def test_since_when_it_is_not_live_stays_while_the_link_tries_again(states: DeviceStates) -> None:
    live(states, {})
    states.lost()
    since = states.read(A).since
    states.connecting()
    states.lost()
    states.connecting()
    states.synchronising()
    assert states.read(A).since == since


def test_what_is_assumed_lasts_until_asterisk_says_something_by_itself(states: DeviceStates) -> None:
    live(states, {})
    states.assume(A, AWAY)
    assert told(states) == (AWAY, None)
    states.begin_snapshot()
    states.end_snapshot({})
    assert told(states) == (AWAY, None)
    states.apply(A, IDLE)
    states.assume(A, AWAY)
    assert told(states) == (IDLE, None)
    states.begin_snapshot()
    states.end_snapshot({})
    assert told(states) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)


def test_a_doubt_voids_what_was_assumed_and_nothing_else(states: DeviceStates) -> None:
    live(states, {B: IDLE})
    states.assume(A, AWAY)
    assert states.doubt(A)
    assert told(states, A) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)
    assert not states.doubt(B)
    assert told(states, B) == (IDLE, None)


def test_a_snapshot_that_names_what_was_assumed_makes_it_known(states: DeviceStates) -> None:
    live(states, {})
    states.assume(A, AWAY)
    states.begin_snapshot()
    states.end_snapshot({A: IDLE})
    assert not states.doubt(A)
    assert told(states) == (IDLE, None)


def test_freshness_is_what_the_link_said_last(states: DeviceStates) -> None:
    seen = [states.freshness]
    for say in (states.connecting, states.synchronising, states.begin_snapshot, lambda: states.end_snapshot({})):
        say()
        seen.append(states.freshness)
    assert seen == ["disconnected", "connecting", "synchronising", "synchronising", "live"]
    states.begin_snapshot()
    assert states.freshness is Freshness.LIVE


@pytest.mark.parametrize(("wire", "human"), [(state.name, state.value) for state in DeviceState])
def test_the_two_spellings_are_asterisks(wire: str, human: str) -> None:
    assert {
        "UNKNOWN": "Unknown", "NOT_INUSE": "Not in use", "INUSE": "In use", "BUSY": "Busy", "INVALID": "Invalid",
        "UNAVAILABLE": "Unavailable", "RINGING": "Ringing", "RINGINUSE": "Ring+Inuse", "ONHOLD": "On Hold",
    }[wire] == human  # fmt: skip


def test_a_reading_with_a_reason_is_not_live() -> None:
    assert Reading(IDLE).live
    assert not Reading(DeviceState.UNKNOWN, NotLive.SILENT).live
