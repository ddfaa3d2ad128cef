"""Asterisk's own status of a hint, against the states of its devices."""

from __future__ import annotations

import pytest

from service.domain.device_states import DeviceStates
from service.domain.hint_differences import HintDifference, find_difference
from service.domain.models import DeviceState

KEY = ("1001", "ext-local")


@pytest.fixture
def states() -> DeviceStates:
    made = DeviceStates(lambda: 0.0, deadline=10.0)
    made.begin_snapshot()
    made.end_snapshot(
        {"PJSIP/1": DeviceState.UNAVAILABLE, "Custom:DND1": DeviceState.NOT_INUSE, "PJSIP/2": DeviceState.INUSE}
    )
    made.assume("SIP/3", DeviceState.NOT_INUSE)
    return made


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("PJSIP/1", 4),
        ("PJSIP/1&Custom:DND1,CustomPresence:1", 0),
        ("pjsip/2&PJSIP/1", 1),
        ("PJSIP/1&PJSIP/none", 0),  # one device is not known
        ("SIP/3", 1),  # no list and no event has shown it
        ("", 4),
        (",CustomPresence:1", 4),
        ("PJSIP/1", None),
    ],
)
def test_where_both_say_the_same_or_nothing_is_known_there_is_no_difference(
    states: DeviceStates, text: str, status: int | None
) -> None:
    assert find_difference(KEY, text, status, states) is None


def test_a_difference_names_what_it_was_found_from(states: DeviceStates) -> None:
    both = (DeviceState.UNAVAILABLE, DeviceState.INUSE)
    assert find_difference(KEY, "PJSIP/1&PJSIP/2", 0, states) == HintDifference(KEY, 0, 1, both)
    assert find_difference(KEY, "PJSIP/1&PJSIP/2", 4, states) == HintDifference(KEY, 4, 1, both)
