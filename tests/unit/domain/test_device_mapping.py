"""The devices of extensions, and the extensions of devices."""

from __future__ import annotations

from time import process_time

import pytest

from service.domain.device_mapping import DeviceMapping, MappingChange
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import ExtensionHints
from service.domain.models import Credentials, DeviceState, Extension, NotLive, Phone, Profile, Reading
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
    both = [extension("1005", shared), extension("1006", shared)]
    assert mapping.follow(both, ()) == MappingChange({"PJSIP/alice"}, set())
    assert sorted(mapping.numbers_of("PJSIP/alice")) == ["1005", "1006"]
    assert mapping.follow([], ["1005", "none"]) == MappingChange(set(), set())
    other = [extension("1006", stored_phone("bob"))]
    assert mapping.follow(other, ()) == MappingChange({"PJSIP/bob"}, {"PJSIP/alice"})
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


def hinted(*items: tuple[str, str, str], context: str | None = None) -> ExtensionHints:
    """Hints of number, context and text."""
    hints = ExtensionHints(context)
    listed = hints.begin_snapshot()
    for number, in_context, text in items:
        listed.add(number, in_context, text, 0)
    hints.end_snapshot(listed)
    return hints


TWO = ("1001", "ext-local", "PJSIP/1001&SIP/1002&Custom:DND1001,CustomPresence:ada")


@pytest.mark.parametrize(
    ("managed", "hint", "devices"),
    [
        (False, TWO, ("PJSIP/1001", "SIP/1002")),
        (True, TWO, ("PJSIP/1001", "PJSIP/991001", "SIP/1002")),
        (False, ("1001", "x", "Custom:DND1001"), ("PJSIP/1001", "PJSIP/991001")),
        (False, ("91001", "x", "PJSIP/alice"), ("PJSIP/1001", "PJSIP/991001")),
        (True, ("11001", "x", "PJSIP/alice"), ("PJSIP/1001", "PJSIP/991001")),
    ],
)
def test_a_hint_of_the_local_number_names_the_devices(
    states: DeviceStates, managed: bool, hint: tuple[str, str, str], devices: tuple[str, ...]
) -> None:
    mapping = DeviceMapping(states, hinted(hint), managed=managed)
    found = extension("91001", DESK, BROWSER, local_number="1001")
    assert mapping.devices_of(found) == devices
    mapping.follow([found], ())
    assert mapping.devices_of(found) == devices
    assert all(list(mapping.numbers_of(device)) == ["91001"] for device in devices)
    assert list(mapping.numbers_of("Custom:DND1001")) == []


def test_hints_that_disagree_make_an_extension_not_live(states: DeviceStates) -> None:
    hints = hinted(("1", "a", "PJSIP/1"), ("1", "b", "PJSIP/alice"))
    one = extension("1", stored_phone("1"))
    reading = DeviceMapping(states, hints, managed=False).read(one)
    assert (reading.state, reading.reason) == (DeviceState.UNKNOWN, NotLive.UNTRACKED)
    chosen = hinted(("1", "a", "PJSIP/1"), ("1", "b", "PJSIP/alice"), context="b")
    assert DeviceMapping(states, chosen, managed=False).read(one) == Reading(DeviceState.RINGING)


def test_devices_are_one_state_and_one_that_is_not_live_makes_all_unknown(states: DeviceStates) -> None:
    """The two false `Idle`s of Asterisk's own hints: a dead phone beside a DND that is off, and a device never set."""
    states.apply("Custom:DND1", DeviceState.NOT_INUSE)
    states.apply("PJSIP/off", DeviceState.UNAVAILABLE)
    hints = hinted(
        ("1", "a", "PJSIP/1&PJSIP/alice&PJSIP/off"),
        ("2", "a", "PJSIP/1&SIP/never"),
        ("3", "a", "PJSIP/off&Custom:DND1"),
    )
    mapping = DeviceMapping(states, hints, managed=False)
    assert mapping.read(extension("1")) == Reading(DeviceState.RINGING)
    assert mapping.read(extension("2")).reason is NotLive.UNTRACKED
    assert mapping.read(extension("3")) == Reading(DeviceState.UNAVAILABLE)


def test_a_changed_hint_maps_again_only_whom_it_concerns(states: DeviceStates) -> None:
    hints = hinted(("1", "a", "PJSIP/1"), ("2", "a", "PJSIP/2"))
    mapping = DeviceMapping(states, hints, managed=False)
    mapping.follow([extension("1"), extension("92", local_number="2"), extension("3", stored_phone("alice"))], ())
    listed = hints.begin_snapshot()
    for number, text in (("2", "PJSIP/2&PJSIP/3"), ("3", "PJSIP/3"), ("4", "PJSIP/4")):
        listed.add(number, "a", text, 0)
    before = hints.end_snapshot(listed)
    numbers, change = mapping.remap(hints.changed_among(hints.numbers(before), before))
    assert sorted(numbers) == ["1", "3", "92"]
    assert change == MappingChange({"PJSIP/2", "PJSIP/3"}, {"PJSIP/1", "PJSIP/alice"})
    assert sorted(mapping.numbers_of("PJSIP/3")) == ["3", "92"]


def test_a_presence_is_found_by_the_id_of_the_hint_or_the_local_number(states: DeviceStates) -> None:
    mapping = DeviceMapping(states, hinted(TWO, ("1002", "x", "PJSIP/1002,CustomPresence:1002")), managed=False)
    ada, bea = extension("91001", local_number="1001"), extension("91002", local_number="1002")
    mapping.follow([ada, bea], ())
    assert (mapping.presence_id_of(ada), mapping.presence_id_of(bea)) == ("ada", "1002")
    assert [list(mapping.numbers_of_presence(name)) for name in ("ada", "1001", "1002", "91002")] == [
        ["91001"],
        [],
        ["91002"],
        [],
    ]
    mapping.follow([], ["91001"])
    assert list(mapping.numbers_of_presence("ada")) == []


def test_a_device_in_the_hints_of_all_extensions_costs_each_as_much_as_one_of_its_own(states: DeviceStates) -> None:
    """Such as a receptionist's. It once cost 6 ms for each."""
    hints = ExtensionHints()
    listed = hints.begin_snapshot()
    numbers = [str(number) for number in range(20_000)]
    for number in numbers:
        listed.add(number, "ext-local", f"PJSIP/{number}&PJSIP/reception", 0)
    hints.end_snapshot(listed)
    mapping = DeviceMapping(states, hints, managed=False)
    mapping.follow(map(extension, numbers), ())
    began = process_time()
    mapping.remap(numbers[:2000])
    mapping.follow([], numbers[:2000])
    assert process_time() - began < 0.5
    assert len(mapping.numbers_of("PJSIP/reception")) == 18_000
