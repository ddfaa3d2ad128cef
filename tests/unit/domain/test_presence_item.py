"""The presence item of an extension with several devices: registered, reachable, and what its user has set."""

from __future__ import annotations

import pytest

from service.domain.contacts import Contact, Contacts
from service.domain.custom_presence import CustomPresences, Presence, PresenceState
from service.domain.device_mapping import DeviceMapping
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import ExtensionHints
from service.domain.models import DeviceState, Extension
from service.domain.presence.item import CallServerView, Item, compose_item
from tests.support.stored import stored_phone

ADA = Extension("91001", "main", True, None, "1001", (stored_phone("1001"),))
REGISTERED = [Contact("sip:1001@192.0.2.1", reachable=True, round_trip_us=2000)]


def composed(
    hint: str,
    states: dict[str, DeviceState],
    contacts: dict[str, list[Contact]] | None = None,
    presences: dict[str, Presence] | None = None,
) -> Item:
    """The item of an extension with this hint, on an imported call server whose link is live."""
    hints, live, known, custom = ExtensionHints(), DeviceStates(lambda: 0.0, 10.0), Contacts(), CustomPresences()
    listed = hints.begin_snapshot()
    listed.add("1001", "ext-local", hint, 0)
    hints.end_snapshot(listed)
    live.begin_snapshot()
    live.end_snapshot(states)
    live.confirm(0.0)
    for endpoint, of_it in (contacts or {}).items():
        known.begin_reading(endpoint)
        known.end_reading(endpoint, of_it)
    for presence_id, presence in (presences or {}).items():
        custom.apply(presence_id, presence)
    mapping = DeviceMapping(live, hints, managed=False)
    mapping.follow([ADA], ())
    return compose_item(ADA, None, CallServerView(live, known, custom, mapping))


FREE, AWAY = DeviceState.NOT_INUSE, DeviceState.UNAVAILABLE
BOTH = "PJSIP/1001&PJSIP/991001&Custom:DND1001,CustomPresence:1001"


@pytest.mark.parametrize(
    ("contacts", "registered", "reachable"),
    [
        ({"1001": REGISTERED, "991001": []}, True, True),
        ({"1001": [], "991001": REGISTERED}, True, True),
        ({"1001": REGISTERED}, True, True),
        ({"1001": [], "991001": []}, False, False),
        ({"1001": []}, None, None),
        ({}, None, None),
    ],
)
def test_registered_is_what_any_endpoint_is_and_not_known_unless_of_each(
    contacts: dict[str, list[Contact]], registered: bool | None, reachable: bool | None
) -> None:
    item = composed(BOTH, {"PJSIP/1001": FREE, "PJSIP/991001": AWAY}, contacts)
    assert (item.state, item.live, item.registered, item.reachable) == ("Not in use", True, registered, reachable)


def test_an_extension_without_an_endpoint_has_a_state_and_no_registration() -> None:
    item = composed("SIP/1001&IAX2/1001", {"SIP/1001": DeviceState.INUSE, "IAX2/1001": DeviceState.RINGING})
    assert (item.state, item.live, item.in_call) == ("Ring+Inuse", True, True)
    assert (item.registered, item.reachable, item.round_trip_ms) == (None, None, None)


def test_a_device_that_is_not_live_leaves_state_and_call_unknown() -> None:
    item = composed(BOTH, {"PJSIP/1001": DeviceState.INUSE}, {"1001": REGISTERED})
    assert (item.state, item.live, item.in_call, item.registered) == ("Unknown", False, None, True)


LUNCH, QUIET = Presence(PresenceState.AWAY, "lunch"), Presence(PresenceState.DND, "back at 1")


@pytest.mark.parametrize("state", [None, *DeviceState])
def test_do_not_disturb_is_on_where_freepbx_takes_it_for_on(state: DeviceState | None) -> None:
    devices = {} if state is None else {"Custom:DND1001": state, "Custom:DND91001": DeviceState.NOT_INUSE}
    item = composed(BOTH, devices, presences={"1001": LUNCH})
    off = state in (None, DeviceState.NOT_INUSE, DeviceState.UNKNOWN, DeviceState.INVALID)
    assert (item.presence, item.message) == (("away", "lunch") if off else ("dnd", ""))


def test_do_not_disturb_of_another_number_is_none_and_an_own_message_of_it_stays() -> None:
    others = {"Custom:DND91001": DeviceState.BUSY, "Custom:DND10011": DeviceState.BUSY, "Custom:DND100": FREE}
    assert composed(BOTH, others).presence == "not_set"
    item = composed(BOTH, {"Custom:DND1001": DeviceState.BUSY}, presences={"1001": QUIET})
    assert (item.presence, item.message) == ("dnd", "back at 1")


def test_the_presence_is_the_one_that_the_hint_names() -> None:
    named = composed("PJSIP/1001,CustomPresence:ada", {}, presences={"ada": LUNCH, "1001": QUIET})
    assert (named.presence, named.message) == ("away", "lunch")
