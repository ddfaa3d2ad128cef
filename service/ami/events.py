"""What one Asterisk tells, and where it goes: each message into the map that it belongs to, in the order read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Set
from dataclasses import dataclass

from panoramisk.message import Message

from service.ami.client import Account, AmiClient
from service.ami.contact_sync import ContactSync
from service.ami.contradictions import Contradictions
from service.ami.endpoint_tracker import EndpointTracker
from service.ami.presence_parsing import parse_presence
from service.ami.protocol import NUMBER, text
from service.ami.queue_sync import DEVICES, QueueSync
from service.domain.contacts import Contact, Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import PJSIP, DeviceState, device_of
from service.domain.presence_state import PresenceStates
from service.domain.queues import Queues


@dataclass(slots=True)
class LinkFacts:
    """What `readyz`, logs and metrics tell of a link beside its freshness."""

    last_event: float | None = None
    """Seconds since the epoch, as the two below."""
    last_pong: float | None = None
    last_resynchronisation: float | None = None
    resynchronisations: int = 0
    corrections: int = 0
    """Devices that a later snapshot had to correct: an event was lost. Stays 0 where all is well."""
    events: int = 0
    failures: int = 0
    why_ended: str | None = None
    refused: bool = False
    """Whether the last try was refused: login or permission."""


class LinkEvents:
    """All that is known of one call server. It implements `wire.Events`; the link gives it a line to listen to."""

    def __init__(self, name: str, *, sync: Account | None, deadline: float, clock: Callable[[], float]) -> None:
        self.name = name
        self.states = DeviceStates(clock, deadline, self._device_changed)
        self.contacts = Contacts()
        self.presences = PresenceStates()
        self.changed: Callable[[str | None], None] = lambda _: None
        """Called with an endpoint of which something may have changed, or with None for all of them."""
        self.facts = LinkFacts()
        self._reader = ContactSync(self.contacts, self.states, self._contacts_read)
        self.tracker = EndpointTracker(name, self.states, self.contacts, self._reader.read, sync)
        self._contradictions = Contradictions(self.contacts, self.states, self._reader.reread, self._doubt)
        self._queues = QueueSync(name, deadline)
        self._connection: AmiClient | None = None
        self.heard = False
        """Whether this link has heard of a change of a state, without having asked."""
        self._booted = False
        self._stale = False  # a snapshot is due
        self._wake = asyncio.Event()

    def follow(self, wanted: Set[str], unwanted: Set[str]) -> None:
        """These are the call server's extensions from now on, and these are not: what is wanted is to be known.

        Of no other extension that changes anything.
        """
        self.tracker.follow(wanted, unwanted)
        self._reader.follow(wanted, unwanted)

    # --- what everybody asks -----------------------------------------------------------------------------------

    def contacts_of(self, endpoint: str) -> tuple[Contact, ...] | None:
        """The contacts of an endpoint now; None when they are not known, or not known to be so now."""
        return self.contacts.of(endpoint) if self.states.current else None

    @property
    def queues(self) -> Queues | None:
        """The queues now; None when they are not known, or not known to be so now."""
        queues = self._queues.queues
        return queues if queues.known and self.states.current else None

    def queues_of(self, extension: str) -> tuple[str, ...]:
        """The names of the queues that an extension is a member of; none when they are not known."""
        queues = self.queues
        return tuple(sorted(queues.of_member(device_of(extension)))) if queues is not None else ()

    # --- what the wire tells -----------------------------------------------------------------------------------

    def device_state(self, device: str, state: DeviceState) -> None:
        self.heard = True
        self._note_event()
        self.states.apply(device, state)

    def event(self, name: str, message: Message) -> None:
        self._note_event()
        if name == "FullyBooted":
            self._booted = True
            self._doubt()
        elif name == "Reload":
            self._doubt()
        elif name == "ContactStatus":
            self._contact_status(text(message, "EndpointName"), message)
        elif name == "PresenceStateChange":
            if (told := parse_presence(message)) is not None:
                self.presences.apply(*told)
                self.changed(told[0])
        elif name == "Shutdown" and self._connection is not None:
            self._connection.end("Asterisk is shutting down")
        else:
            self._queues.event(name, message)

    def lost(self, why: str) -> None:
        """At once, not when the task gets round to it: nothing is live without a line."""
        self.states.lost()
        self.contacts.lost()
        self.presences.lost()
        self._contradictions.lost()
        self._queues.lost()
        self.changed(None)
        self._wake.set()

    def _contact_status(self, endpoint: str, message: Message) -> None:
        uri, status, took = (text(message, header) for header in ("URI", "ContactStatus", "RoundtripUsec"))
        if self.contacts.apply(endpoint, uri, status, int(took) if NUMBER.fullmatch(took) else None):
            self._reader.read(endpoint)
        self.tracker.contact(endpoint)
        self._contradictions.look(endpoint)
        self.changed(endpoint)

    def _contacts_read(self, endpoint: str) -> None:
        self.tracker.look(endpoint)
        self._contradictions.look(endpoint)
        self.changed(endpoint)

    def _device_changed(self, device: str | None) -> None:
        if device is None:
            self.changed(None)
        elif device.startswith(PJSIP):
            endpoint = device[len(PJSIP) :]
            self._contradictions.look(endpoint)
            self.changed(endpoint)
        elif device.startswith(DEVICES):
            self._queues.doubt()

    def _note_event(self) -> None:
        self.facts.events += 1
        self.facts.last_event = time.time()

    def _doubt(self) -> None:
        self._stale = True
        self._wake.set()
