"""Who is registered where: the contacts of one call server's endpoints, and whether they answer.

Registered and reachable are separate facts. A phone that lost its network is registered, and not reachable; Asterisk's
device state calls both that and nobody's registration UNAVAILABLE.

Synchronous and pure, like the device states, and fed by the same link: an endpoint is known once this link has read its
contacts, or heard of one that came or went. An event that comes while they are read counts more than what was read.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Contact:
    """One registration, as far as Asterisk told."""

    uri: str
    reachable: bool | None = None
    """Whether it answered the last qualify; None before the first."""
    round_trip_us: int | None = None
    """Microseconds that its answer took."""
    address: str | None = None
    """Where its last REGISTER came from, `host:port`."""
    user_agent: str | None = None
    expires_at: datetime | None = None
    """When the registration ends unless it is renewed."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What one event says of a contact."""

    status: str
    round_trip_us: int | None

    def change(self, contacts: dict[str, Contact], uri: str) -> None:
        if self.status == "Removed":
            contacts.pop(uri, None)
            return
        reachable = {"Reachable": True, "Unreachable": False}.get(self.status)
        took = self.round_trip_us if reachable else None
        contacts[uri] = replace(contacts.get(uri) or Contact(uri), reachable=reachable, round_trip_us=took)


class Contacts:
    """The contacts per endpoint. What is not known is None, never an empty answer."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, Contact]] = {}
        self._doubted: set[str] = set()
        self._reading: dict[str, dict[str, _Told]] = {}  # what events told of an endpoint that is being read

    def __len__(self) -> int:
        return sum(map(len, self._known.values()))

    def __contains__(self, endpoint: str) -> bool:
        return endpoint in self._known

    # --- what the link says ------------------------------------------------------------------------------------

    def begin_reading(self, endpoint: str) -> None:
        """An endpoint's contacts are about to be read."""
        self._reading[endpoint] = {}

    def end_reading(self, endpoint: str, contacts: Iterable[Contact] | None) -> None:
        """They were read, or could not be (None). What events told meanwhile counts more."""
        told = self._reading.pop(endpoint, {})
        if contacts is None:
            return
        read = self._known[endpoint] = {contact.uri: contact for contact in contacts}
        for uri, event in told.items():
            event.change(read, uri)

    def apply(self, endpoint: str, uri: str, status: str, round_trip_us: int | None) -> bool:
        """A `ContactStatus` event. Returns whether more is to be known of this contact by reading it."""
        event = _Told(status, round_trip_us)
        if endpoint in self._reading:
            self._reading[endpoint][uri] = event
        contacts = self._known.get(endpoint)
        new = status != "Removed" and (contacts is None or uri not in contacts)
        if contacts is not None:
            event.change(contacts, uri)
        return new

    def forget(self, endpoint: str) -> None:
        """Nothing is known of an endpoint any more."""
        self._known.pop(endpoint, None)
        self._doubted.discard(endpoint)

    def doubt(self, endpoint: str) -> None:
        """They cannot be true, as something else is told that contradicts them."""
        self._doubted.add(endpoint)

    def trust(self, endpoint: str) -> None:
        """Nothing contradicts them any more."""
        self._doubted.discard(endpoint)

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self._known.clear()
        self._doubted.clear()
        self._reading.clear()

    # --- what everybody asks -----------------------------------------------------------------------------------

    def of(self, endpoint: str) -> tuple[Contact, ...] | None:
        """The contacts of an endpoint, or None when they are not known, or cannot be true."""
        return None if endpoint in self._doubted else self.told(endpoint)

    def told(self, endpoint: str) -> tuple[Contact, ...] | None:
        """The same, true or not."""
        contacts = self._known.get(endpoint)
        return None if contacts is None else tuple(contacts.values())
