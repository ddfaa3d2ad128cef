"""The presence item: device state, registration and the presence that a user sets, as separate facts. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from service.domain.contacts import Contact, Contacts
from service.domain.custom_presence import NOT_SET, CustomPresences, Presence, PresenceState
from service.domain.device_mapping import DeviceMapping, endpoints
from service.domain.device_states import DeviceStates
from service.domain.hints import DO_NOT_DISTURB
from service.domain.models import DeviceState, Extension, Person, device_of
from service.domain.timestamps import rfc3339_ms

_NO_DO_NOT_DISTURB = frozenset({None, DeviceState.NOT_INUSE, DeviceState.UNKNOWN, DeviceState.INVALID})
IN_CALL_STATES = frozenset({DeviceState.INUSE, DeviceState.BUSY, DeviceState.RINGINUSE, DeviceState.ONHOLD})


@dataclass(frozen=True, slots=True)
class CallServerView:
    """The live state that one link keeps of its call server."""

    states: DeviceStates
    contacts: Contacts
    presences: CustomPresences
    mapping: DeviceMapping


class Item(msgspec.Struct, frozen=True, rename="camel", gc=False):
    """Presence of one extension. Unknown values are null. `live` is true if `state` is Asterisk's current state.

    It can be in no cycle. Without `gc=False` the garbage collector would search all pairs of an item and its JSON.
    """

    extension: str
    user_id: str | None
    """The uid of its user."""
    username: str | None
    call_server: str
    state: str
    registered: bool | None
    reachable: bool | None
    round_trip_ms: float | None
    in_call: bool | None
    presence: str
    message: str
    live: bool
    as_of: str
    """When anything but the round-trip time last changed, RFC 3339."""

    def has_same_facts(self, other: Item) -> bool:
        """Return whether the items differ at most in `as_of` and `round_trip_ms`."""
        return self.facts() == other.facts()

    def facts(self) -> tuple[object, ...]:
        """Return the fields that an entity tag covers, which are the same on every replica."""
        return (
            self.extension,
            self.user_id,
            self.username,
            self.call_server,
            self.state,
            self.registered,
            self.reachable,
            self.in_call,
            self.presence,
            self.message,
            self.live,
        )


def compose_item(extension: Extension, person: Person | None, view: CallServerView | None) -> Item:
    """Merge stored and live data into the current item."""
    as_of = rfc3339_ms(datetime.now(UTC))
    reading = view.mapping.read(extension) if view is not None else None
    current = view is not None and view.states.current
    contacts = _contacts(extension, view) if view is not None and current else None
    presence = _presence(extension, view) if view is not None and current else NOT_SET
    state = reading.state if reading is not None else DeviceState.UNKNOWN
    live = reading is not None and reading.live
    round_trips = [contact.round_trip_us for contact in contacts or () if contact.round_trip_us is not None]
    return Item(
        extension=extension.number,
        user_id=person.uid if person is not None else None,
        username=person.name if person is not None else None,
        call_server=extension.call_server,
        state=state.value,
        registered=None if contacts is None else bool(contacts),
        reachable=_reachable(contacts),
        round_trip_ms=min(round_trips) / 1000 if round_trips else None,
        in_call=state in IN_CALL_STATES if live else None,
        presence=presence.state.value,
        message=presence.message,
        live=live,
        as_of=as_of,
    )


def _presence(extension: Extension, view: CallServerView) -> Presence:
    """Return what its user has set. FreePBX's do-not-disturb, a device that is BUSY while it is on, comes first."""
    presence = view.presences.of(view.mapping.presence_id_of(extension))
    if view.states.get(DO_NOT_DISTURB + extension.local_number) in _NO_DO_NOT_DISTURB:
        return presence
    return presence if presence.state is PresenceState.DND else Presence(PresenceState.DND)


def _contacts(extension: Extension, view: CallServerView) -> tuple[Contact, ...] | None:
    """Return the contacts of the extension's endpoints, None if unknown.

    No contact at all is known only if it is known of each endpoint. An empty answer counts only if Asterisk has the
    endpoint.
    """
    found: list[Contact] = []
    own = endpoints(view.mapping.devices_of(extension))
    known = bool(own)
    for endpoint in own:
        contacts = view.contacts.of(endpoint)
        found.extend(contacts or ())
        known &= contacts is not None and view.states.get(device_of(endpoint)) not in (None, DeviceState.INVALID)
    return tuple(found) if found or known else None


def _reachable(contacts: tuple[Contact, ...] | None) -> bool | None:
    """Return whether any contact answers; None if unknown."""
    if contacts is None:
        return None
    qualified = [contact.reachable for contact in contacts if contact.reachable is not None]
    return any(qualified) if qualified or not contacts else None
