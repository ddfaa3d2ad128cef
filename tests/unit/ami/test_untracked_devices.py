"""The devices without a known state are told from what is known now, however often they are asked for."""

from __future__ import annotations

import pytest

from service.ami.endpoint_tracker import EndpointTracker
from service.domain.contacts import Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import DeviceState

IDLE, AWAY = DeviceState.NOT_INUSE, DeviceState.UNAVAILABLE


@pytest.fixture
def states() -> DeviceStates:
    states = DeviceStates(lambda: 0.0, 1e9)
    states.synchronising()
    return states


@pytest.fixture
def tracker(states: DeviceStates) -> EndpointTracker:
    made = EndpointTracker("main", states, Contacts(), lambda _: None)
    made.follow({"PJSIP/1", "PJSIP/2", "SIP/3"}, set())
    return made


def take(states: DeviceStates, snapshot: dict[str, DeviceState]) -> None:
    states.begin_snapshot()
    states.end_snapshot(snapshot)


def test_before_the_first_snapshot_no_device_is_known(states: DeviceStates, tracker: EndpointTracker) -> None:
    states.apply("PJSIP/1", IDLE)
    assert tracker.untracked() == {"PJSIP/1", "PJSIP/2", "SIP/3"}


def test_what_makes_a_device_known_or_unknown_shows_at_once(states: DeviceStates, tracker: EndpointTracker) -> None:
    take(states, {"PJSIP/1": IDLE})
    assert tracker.untracked() == {"PJSIP/2", "SIP/3"}
    states.apply("PJSIP/2", IDLE)
    assert tracker.untracked() == {"SIP/3"}
    states.assume("SIP/3", AWAY)
    assert not tracker.untracked()
    states.doubt("SIP/3")
    assert tracker.untracked() == {"SIP/3"}
    take(states, {"PJSIP/2": IDLE})
    assert tracker.untracked() == {"PJSIP/1", "SIP/3"}
    states.lost()
    assert tracker.untracked() == {"PJSIP/1", "PJSIP/2", "SIP/3"}


def test_a_device_that_is_followed_or_dropped_shows_at_once(states: DeviceStates, tracker: EndpointTracker) -> None:
    take(states, {"PJSIP/1": IDLE})
    assert len(tracker.untracked()) == 2
    tracker.follow({"PJSIP/4"}, {"PJSIP/2"})
    assert tracker.untracked() == {"PJSIP/4", "SIP/3"}


def test_what_was_assumed_of_a_dropped_device_is_void_once_a_phone_appears(
    states: DeviceStates, tracker: EndpointTracker
) -> None:
    take(states, {"PJSIP/1": IDLE})
    states.assume("PJSIP/2", AWAY)
    tracker.follow(set(), {"PJSIP/2"})
    tracker.on_contact_event("PJSIP/2")
    tracker.follow({"PJSIP/2"}, set())
    assert "PJSIP/2" in tracker.untracked()
    assert states.get("PJSIP/2") is None
