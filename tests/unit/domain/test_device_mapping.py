"""The devices of extensions, and the extensions of devices."""

from __future__ import annotations

import pytest

from service.domain.device_mapping import DeviceMapping
from service.domain.device_states import DeviceStates
from service.domain.models import Credentials, DeviceState, Extension, NotLive, Phone, Profile
from service.domain.registration_info import phone_to_register
from tests.support.stored import stored_extension, stored_phone


def extension(number: str, *phones: Phone, local_number: str = "") -> Extension:
    return Extension(number, "main", True, None, local_number or number, phones)


@pytest.fixture
def states() -> DeviceStates:
    made = DeviceStates(lambda: 0.0, deadline=10.0)
    made.begin_snapshot()
    made.end_snapshot({"PJSIP/alice": DeviceState.RINGING, "PJSIP/1": DeviceState.NOT_INUSE})
    made.confirm(0.0)
    return made


def test_a_device_leads_to_its_extensions_and_is_dropped_with_the_last(states: DeviceStates) -> None:
    mapping = DeviceMapping(states)
    shared = stored_phone("alice")
    assert mapping.follow([extension("1005", shared), extension("1006", shared)], ()) == ({"alice"}, set())
    assert sorted(mapping.numbers_of("PJSIP/alice")) == ["1005", "1006"]
    assert mapping.follow([], ["1005", "none"]) == (set(), set())
    assert mapping.follow([extension("1006", stored_phone("bob"))], ()) == ({"bob"}, {"alice"})
    assert list(mapping.numbers_of("PJSIP/alice")) == []


def test_an_extension_is_found_by_the_number_that_its_asterisk_dials(states: DeviceStates) -> None:
    mapping = DeviceMapping(states)
    mapping.follow([extension("91001", local_number="1001")], ())
    assert (mapping.number_of("1001"), mapping.number_of("91001")) == ("91001", None)
    mapping.follow([], ["91001"])
    assert mapping.number_of("1001") is None


def test_the_state_is_the_devices_and_unknown_without_one(states: DeviceStates) -> None:
    mapping = DeviceMapping(states)
    assert mapping.read(extension("1005", stored_phone("alice"))).state is DeviceState.RINGING
    reading = mapping.read(extension("1005"))
    assert (reading.state, reading.reason) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)
    states.lost()
    assert mapping.read(extension("1005")).reason is NotLive.DISCONNECTED


DESK, BROWSER = stored_phone("1001", profile=Profile.SIP), stored_phone("991001")
ALICE = stored_phone("alice", profile=Profile.SIP)


@pytest.mark.parametrize(
    ("credentials", "phones", "chosen"),
    [
        (Credentials.MANAGED, (DESK, BROWSER), DESK),
        (Credentials.MANAGED, (BROWSER,), None),
        (Credentials.IMPORTED, (DESK, BROWSER), BROWSER),
        (Credentials.IMPORTED, (DESK,), DESK),
        (Credentials.IMPORTED, (ALICE,), ALICE),
        (Credentials.IMPORTED, (), None),
    ],
)
def test_which_phone_registers(credentials: Credentials, phones: tuple[Phone, ...], chosen: Phone | None) -> None:
    assert phone_to_register(extension("1001", *phones), credentials) is chosen


def test_a_phone_that_asterisk_no_longer_has_is_the_last_choice() -> None:
    gone = stored_phone("991001", missing=True)
    assert phone_to_register(extension("1001", DESK, gone), Credentials.IMPORTED) is DESK
    assert phone_to_register(extension("1001", gone), Credentials.IMPORTED) is gone


def test_an_extension_owns_the_phone_that_is_named_by_its_local_number() -> None:
    assert stored_extension("1001").own_phone is not None
    assert extension("91001", stored_phone("1001"), local_number="1001").own_phone is not None
    assert extension("1005", stored_phone("alice")).own_phone is None
