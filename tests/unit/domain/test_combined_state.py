"""Several devices as one: the table that Asterisk combines the devices of a hint by."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.combined_state import combined_reading, combined_state, extension_status
from service.domain.models import DeviceState, NotLive, Reading

UNKNOWN, NOT_INUSE, INUSE, BUSY, INVALID, UNAVAILABLE, RINGING, RINGINUSE, ONHOLD = DeviceState
STATES = st.lists(st.sampled_from(DeviceState))


@pytest.mark.parametrize(
    ("states", "combined"),
    [
        ((), INVALID),
        ((INVALID, UNKNOWN), UNKNOWN),
        ((UNKNOWN, UNAVAILABLE), UNAVAILABLE),
        ((UNAVAILABLE, NOT_INUSE), NOT_INUSE),
        ((NOT_INUSE, ONHOLD), ONHOLD),
        ((ONHOLD, NOT_INUSE, INUSE), INUSE),
        ((NOT_INUSE, RINGING), RINGING),
        ((RINGING, INUSE), RINGINUSE),
        ((RINGING, BUSY), RINGINUSE),
        ((RINGING, ONHOLD), RINGINUSE),
        ((RINGING, UNAVAILABLE), RINGING),
        ((INUSE, BUSY), BUSY),
        ((BUSY, RINGINUSE), RINGINUSE),
    ],
)
def test_the_most_occupied_device_gives_the_state(states: tuple[DeviceState, ...], combined: DeviceState) -> None:
    for order in permutations(states):
        assert combined_state(order) is combined


@pytest.mark.parametrize("state", DeviceState)
def test_one_device_gives_its_own_state(state: DeviceState) -> None:
    assert combined_state([state]) is combined_state([state, state]) is state


@given(STATES, STATES)
def test_parts_may_be_combined_in_any_order(some: list[DeviceState], others: list[DeviceState]) -> None:
    assert combined_state(some + others) is combined_state(others + some)


@pytest.mark.parametrize("reason", NotLive)
def test_one_device_that_is_not_live_makes_all_not_live(reason: NotLive) -> None:
    unknown = Reading(UNKNOWN, reason)
    assert combined_reading([Reading(INUSE), unknown, Reading(NOT_INUSE)]) is unknown
    assert combined_reading([Reading(INUSE), Reading(NOT_INUSE)]) == Reading(INUSE)
    assert combined_reading([]) is None


def test_a_live_reading_is_the_same_object_each_time() -> None:
    """The cache of registration infos compares by identity first."""
    assert combined_reading([Reading(BUSY)]) is combined_reading([Reading(BUSY), Reading(BUSY)])


def test_an_extension_has_no_unknown_and_its_own_numbers() -> None:
    numbers = {state.name: extension_status(state) for state in DeviceState}
    assert numbers == {
        "UNKNOWN": 0, "NOT_INUSE": 0, "INUSE": 1, "BUSY": 2, "INVALID": 4, "UNAVAILABLE": 4,
        "RINGING": 8, "RINGINUSE": 9, "ONHOLD": 16,
    }  # fmt: skip
