"""Applies one Asterisk's AMI events to the state of its call server, in the order read."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Set

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
from service.ami.queue_sync import QueueSync
from service.domain.call_server import QUEUE_DEVICE_PREFIX, CallServer
from service.domain.device_mapping import MappingChange, endpoints
from service.domain.models import PJSIP, DeviceState, device_of


class LinkEvents(CallServer):
    """The state of one call server, written by AMI events. It is the `EventHandler` of its link's connection."""

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
        super().__init__(name, deadline=deadline, clock=clock, managed=managed, hint_context=hint_context)
        self._contact_sync = ContactSync(self.contacts, self.states, self._on_contacts_read)
        self.tracker = EndpointTracker(
            name, self.states, self.contacts, self._contact_sync.read_soon, sync, self.troubles
        )
        self._contradictions = Contradictions(
            self.contacts, self.states, self._contact_sync.reread_later, self._request_snapshot
        )
        self._queue_sync = QueueSync(name, self.all_queues, deadline, lambda: self.queues_changed())
        self._hint_sync = HintSync(self.hints, deadline, self._on_hints_changed)
        self.hint_comparison = HintComparison(name, self.hints, self.states, self._hint_sync)
        self._connection: AmiClient | None = None
        self.receives_changes = False
        """Whether a DeviceStateChange has arrived as an event on this connection."""
        self._booted = False
        self._snapshot_due = False
        self._wake = asyncio.Event()

    def _follow_devices(self, change: MappingChange) -> None:
        self.tracker.follow(change.followed, change.dropped)
        self._contact_sync.follow(endpoints(change.followed), endpoints(change.dropped))
        super()._follow_devices(change)

    # --- acts and queries ----------------------------------------------------------------------------------------

    def read_contacts_later(self, endpoint: str) -> None:
        self._contact_sync.reread_later(endpoint)

    def untracked(self) -> Set[str]:
        return self.tracker.untracked()

    @property
    def hint_differences(self) -> int:
        return self.hint_comparison.differences

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
                self._touch_presence(presence_id)
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

    def _on_device_changed(self, device: str | None) -> None:
        if device is not None and device.startswith(PJSIP):
            self._contradictions.check(device[len(PJSIP) :])
        elif device is not None and device.startswith(QUEUE_DEVICE_PREFIX):
            self._queue_sync.request_list()
        super()._on_device_changed(device)

    def _count_event(self) -> None:
        self.facts.events += 1
        self.facts.last_event = time.time()

    def _request_snapshot(self) -> None:
        self._snapshot_due = True
        self._wake.set()
