"""Applies one Asterisk's AMI events to the state of its call server, in the order read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Set
from dataclasses import dataclass

from panoramisk.message import Message

from service.ami.accounts import Account
from service.ami.actions import NUMBER, header_text
from service.ami.client import SHUTTING_DOWN, AmiClient
from service.ami.contact_contradictions import Contradictions
from service.ami.contact_sync import ContactSync
from service.ami.custom_presence_parsing import parse_presence
from service.ami.endpoint_tracker import EndpointTracker
from service.ami.hint_comparison import HintComparison
from service.ami.hint_sync import HintSync
from service.ami.queue_sync import QUEUE_DEVICE_PREFIX, QueueSync
from service.domain.contacts import Contact, Contacts
from service.domain.custom_presence import CustomPresences
from service.domain.device_mapping import DeviceMapping, MappingChange, endpoints
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import QUEUE_MEMBERS, ExtensionHints
from service.domain.hints import DO_NOT_DISTURB
from service.domain.models import PJSIP, DeviceState, Extension, Reading, device_of
from service.domain.queues import Queues
from service.domain.status.facts import LinkFailure

_KNOWN = Reading(DeviceState.UNKNOWN)
"""A live reading."""


@dataclass(slots=True)
class LinkFacts:
    """What `readyz`, logs and metrics report of a link beside its freshness."""

    last_event: float | None = None
    """Seconds since the epoch, like the next two."""
    last_pong: float | None = None
    last_resynchronisation: float | None = None
    resynchronisations: int = 0
    corrections: int = 0
    """Devices whose state a later snapshot corrected, since an event was lost. Normally 0."""
    events: int = 0
    failures: int = 0
    why_ended: str | None = None
    refused: bool = False
    """Whether the last attempt was refused: its login or an action."""
    failure: LinkFailure | None = None
    """Kind of the failure in `why_ended`."""
    remedy: str | None = None


class LinkEvents:
    """The state of one call server, fed by AMI events. It is the `EventHandler` of its link's connection."""

    def __init__(
        self,
        name: str,
        *,
        sync: Account | None,
        deadline: float,
        clock: Callable[[], float],
        managed: bool = True,
        hint_context: str | None = None,
    ) -> None:
        self.name = name
        self.states = DeviceStates(clock, deadline, self._on_device_changed)
        self.hints = ExtensionHints(hint_context, ignored=QUEUE_MEMBERS if managed else None)
        self.mapping = DeviceMapping(self.states, self.hints, managed=managed)
        self.contacts = Contacts()
        self.presences = CustomPresences()
        self.changed: Callable[[str | None], None] = lambda _: None
        """Called with the number of an extension that may have changed, or None for all."""
        self.contacts_changed: Callable[[str, bool], None] = lambda _endpoint, _read: None
        """Called with an endpoint whose contacts may have changed, and whether they were read with their details."""
        self.configuration_changed: Callable[[], None] = lambda: None
        """Called when the link comes up, and when Asterisk reloads its configuration."""
        self.queues_changed: Callable[[], None] = lambda: None
        """Called when the queues, or the extensions of their members, may have changed."""
        self.facts = LinkFacts()
        self._contact_sync = ContactSync(self.contacts, self.states, self._on_contacts_read)
        self.tracker = EndpointTracker(name, self.states, self.contacts, self._contact_sync.read_soon, sync)
        self._contradictions = Contradictions(
            self.contacts, self.states, self._contact_sync.reread_later, self._request_snapshot
        )
        self._queue_sync = QueueSync(name, deadline, lambda: self.queues_changed())
        self._hint_sync = HintSync(self.hints, deadline, self._on_hints_changed)
        self.hint_comparison = HintComparison(name, self.hints, self.states, self._hint_sync)
        self._connection: AmiClient | None = None
        self.receives_changes = False
        """Whether a DeviceStateChange has arrived as an event on this connection."""
        self._booted = False
        self._snapshot_due = False
        self._wake = asyncio.Event()

    def follow(self, wanted: Iterable[Extension], unwanted: Set[str]) -> None:
        """Follow the `wanted` extensions from now on, and no longer the `unwanted`; others stay as they are."""
        self._follow_devices(self.mapping.follow(wanted, unwanted))

    def _follow_devices(self, change: MappingChange) -> None:
        self.tracker.follow(change.followed, change.dropped)
        self._contact_sync.follow(endpoints(change.followed), endpoints(change.dropped))
        self.queues_changed()

    # --- queries -----------------------------------------------------------------------------------------------

    def read(self, extension: Extension) -> Reading:
        """The current state of an extension."""
        return self.mapping.read(extension)

    def devices_of(self, extension: Extension) -> tuple[str, ...]:
        """The devices of an extension."""
        return self.mapping.devices_of(extension)

    def contacts_of(self, endpoint: str) -> tuple[Contact, ...] | None:
        """The current contacts of an endpoint; None if unknown or possibly outdated."""
        return self.contacts.of(endpoint) if self.states.current else None

    def read_contacts_later(self, endpoint: str) -> None:
        """Queue a re-read of an endpoint's contacts."""
        self._contact_sync.reread_later(endpoint)

    @property
    def queues(self) -> Queues | None:
        """The current queues; None if unknown or possibly outdated."""
        queues = self._queue_sync.queues
        return queues if queues.known and self.states.current else None

    @property
    def queues_reading(self) -> Reading:
        """A reading that is live if the queues are known, else with the reason why not."""
        return self.states.read(QUEUE_DEVICE_PREFIX) if self.queues is None else _KNOWN

    def queues_of(self, extension: Extension) -> tuple[str, ...]:
        """The names of the queues that an extension is a member of; empty if unknown."""
        queues = self.queues
        if queues is None:
            return ()
        return tuple(sorted(queues.of_extension(extension.local_number, self.devices_of(extension))))

    # --- EventHandler ------------------------------------------------------------------------------------------

    def on_device_state(self, device: str, state: DeviceState) -> None:
        self.receives_changes = True
        self._count_event()
        self.states.apply(device, state)

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None:
        self._count_event()
        self._hint_sync.on_extension_status(number, context, hint, status)

    def on_event(self, name: str, message: Message) -> None:
        self._count_event()
        if name == "FullyBooted":
            self._booted = True
            self._request_snapshot()
            self.configuration_changed()
        elif name == "Reload":
            self._request_snapshot()
            self.configuration_changed()
        elif name == "ContactStatus":
            self._on_contact_status(header_text(message, "EndpointName"), message)
        elif name == "PresenceStateChange":
            if (parsed := parse_presence(message)) is not None:
                presence_id, presence = parsed
                self.presences.apply(presence_id, presence)
                for number in self.mapping.numbers_of_presence(presence_id):
                    self.changed(number)
        elif name == "Shutdown" and self._connection is not None:
            self._connection.end(SHUTTING_DOWN)
        else:
            self._queue_sync.on_event(name, message)

    def on_connection_lost(self, why: str) -> None:
        """Void all state now, before the link's task runs: nothing is live without a connection."""
        self.states.lost()
        self.contacts.lost()
        self.presences.lost()
        self._contradictions.lost()
        self._queue_sync.lost()
        self._hint_sync.lost()
        self.hint_comparison.lost()
        self.changed(None)
        self._wake.set()

    def _on_contact_status(self, endpoint: str, message: Message) -> None:
        uri, status, round_trip = (header_text(message, header) for header in ("URI", "ContactStatus", "RoundtripUsec"))
        if self.contacts.apply(endpoint, uri, status, int(round_trip) if NUMBER.fullmatch(round_trip) else None):
            self._contact_sync.read_soon(endpoint)
        self.tracker.on_contact_event(device_of(endpoint))
        self._contradictions.check(endpoint)
        self._touch_endpoint(endpoint)
        self.contacts_changed(endpoint, False)

    def _on_contacts_read(self, endpoint: str) -> None:
        self.tracker.track_if_unknown(device_of(endpoint))
        self._contradictions.check(endpoint)
        self._touch_endpoint(endpoint)
        self.contacts_changed(endpoint, True)

    def _touch_endpoint(self, endpoint: str) -> None:
        """Report the extensions that have this endpoint as changed."""
        self._touch_device(device_of(endpoint))

    def _touch_device(self, device: str) -> None:
        for number in self.mapping.numbers_of(device):
            self.changed(number)

    def _on_device_changed(self, device: str | None) -> None:
        if device is None:
            self.changed(None)
        elif device.startswith(PJSIP):
            self._contradictions.check(device[len(PJSIP) :])
            self._touch_device(device)
        elif device.startswith(QUEUE_DEVICE_PREFIX):
            self._queue_sync.request_list()
        elif device.startswith(DO_NOT_DISTURB):
            if (number := self.mapping.number_of(device[len(DO_NOT_DISTURB) :])) is not None:
                self.changed(number)
        else:
            self._touch_device(device)

    def _on_hints_changed(self, local_numbers: Set[str]) -> None:
        """Map these numbers of the call server again."""
        numbers, change = self.mapping.remap(local_numbers)
        self._follow_devices(change)
        for number in numbers:
            self.changed(number)

    def _count_event(self) -> None:
        self.facts.events += 1
        self.facts.last_event = time.time()

    def _request_snapshot(self) -> None:
        self._snapshot_due = True
        self._wake.set()
