"""The contacts of one call server's endpoints: their registrations, and whether they answer.

Registered and reachable are separate facts. A phone that lost its network is registered but not reachable. Asterisk's
device state is UNAVAILABLE both for it and for an endpoint without a registration.

Synchronous and pure, and written by the link of the device states. An endpoint is known once this link has read its
contacts. Events win over a list that is read at the same time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, KeysView
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """One registration, as far as Asterisk has reported it."""

    uri: str
    reachable: bool | None = None
    """Whether the contact answered the last qualify; None before the first."""
    round_trip_us: int | None = None
    """Round-trip time of the last qualify in microseconds."""
    address: str | None = None
    """Source of the last REGISTER, `host:port`."""
    user_agent: str | None = None
    expires_at: datetime | None = None
    """Expiry of the registration unless it is renewed."""


_NO_CONTACTS: dict[str, Contact] = {}
"""Shared and never changed: 100,000 endpoints may have none, and the garbage collector counts every new dict."""


def shown_contact(contacts: Iterable[Contact]) -> Contact | None:
    """Return the registration to show of several: one that answers, if any does."""
    return min(contacts, key=lambda contact: (contact.reachable is not True, contact.address is None), default=None)


@dataclass(frozen=True, slots=True)
class _StatusEvent:
    """A `ContactStatus` event."""

    status: str
    round_trip_us: int | None

    def apply_to(self, contacts: dict[str, Contact], uri: str) -> None:
        if self.status == "Removed":
            contacts.pop(uri, None)
            return
        reachable = {"Reachable": True, "Unreachable": False}.get(self.status)
        round_trip_us = self.round_trip_us if reachable else None
        contacts[uri] = replace(contacts.get(uri) or Contact(uri), reachable=reachable, round_trip_us=round_trip_us)


class Contacts:
    """The contacts per endpoint. Unknown contacts are None, never empty."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Contact]] = {}
        self._doubted: set[str] = set()
        self._reading: set[str] = set()
        self._events: dict[str, dict[str, _StatusEvent]] = {}  # of endpoints that are being read
        self.endpoint_set: Callable[[str, bool], None] = lambda _endpoint, _read: None
        """Called whenever the contacts of an endpoint are set, doubted, trusted or forgotten, except by `lost`; and
        whether they were read with their details."""

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._known

    # --- writing: the link -------------------------------------------------------------------------------------

    def begin_reading(self, endpoint: str) -> None:
        """Begin to read an endpoint's contacts."""
        self._reading.add(endpoint)
        self._events.pop(endpoint, None)

    def end_reading(self, endpoint: str, contacts: Iterable[Contact] | None) -> None:
        """Set the contacts that were read; None if reading failed. Events that came meanwhile win."""
        self._reading.discard(endpoint)
        events = self._events.pop(endpoint, {})
        if contacts is None:
            return
        read = {contact.uri: contact for contact in contacts}
        for uri, event in events.items():
            event.apply_to(read, uri)
        self._known[endpoint] = read or _NO_CONTACTS
        self.endpoint_set(endpoint, True)

    def apply(self, endpoint: str, uri: str, status: str, round_trip_us: int | None) -> bool:
        """Apply a `ContactStatus` event. Returns whether the contact is new, so that its details must be read."""
        event = _StatusEvent(status, round_trip_us)
        if endpoint in self._reading:
            self._events.setdefault(endpoint, {})[uri] = event
        contacts = self._known.get(endpoint)
        new = status != "Removed" and (contacts is None or uri not in contacts)
        if contacts is _NO_CONTACTS:
            contacts = self._known[endpoint] = {}
        if contacts is not None:
            event.apply_to(contacts, uri)
            self.endpoint_set(endpoint, False)
        return new

    def put(self, endpoint: str, contacts: Iterable[Contact] | None, *, doubted: bool = False) -> None:
        """Set an endpoint's contacts as another process knows them; None if they are unknown there."""
        if contacts is None:
            self._known.pop(endpoint, None)
        else:
            self._known[endpoint] = {contact.uri: contact for contact in contacts} or _NO_CONTACTS
        if doubted:
            self._doubted.add(endpoint)
        else:
            self._doubted.discard(endpoint)

    def forget(self, endpoint: str) -> None:
        """Forget an endpoint's contacts."""
        self._known.pop(endpoint, None)
        self._doubted.discard(endpoint)
        self.endpoint_set(endpoint, False)

    def doubt(self, endpoint: str) -> None:
        """Mark an endpoint's contacts as doubtful, because another fact contradicts them."""
        self._doubted.add(endpoint)
        self.endpoint_set(endpoint, False)

    def trust(self, endpoint: str) -> None:
        """Remove the mark: the contradiction is resolved."""
        if endpoint in self._doubted:
            self._doubted.discard(endpoint)
            self.endpoint_set(endpoint, False)

    def lost(self) -> None:
        """Forget everything: the link is lost."""
        self._known.clear()
        self._doubted.clear()
        self._reading.clear()
        self._events.clear()

    # --- reading -----------------------------------------------------------------------------------------------

    def of(self, endpoint: str) -> tuple[Contact, ...] | None:
        """Return an endpoint's contacts, None if they are unknown or doubtful."""
        return None if endpoint in self._doubted else self.reported(endpoint)

    def endpoints(self) -> KeysView[str]:
        """Return the endpoints whose contacts are known, doubtful or not."""
        return self._known.keys()

    def doubted(self, endpoint: str) -> bool:
        """Return whether an endpoint's contacts are doubtful."""
        return endpoint in self._doubted

    def reported(self, endpoint: str) -> tuple[Contact, ...] | None:
        """Return an endpoint's contacts, doubtful or not."""
        contacts = self._known.get(endpoint)
        return None if contacts is None else tuple(contacts.values())
