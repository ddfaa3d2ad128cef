"""What is known of one call server now, and the questions that clients have of it.

Synchronous and pure. `service.ami` writes one from the events of its link; `service.bus` writes one from what a
collector publishes. Whoever only asks depends on this module, and cannot tell the two apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass

from service.domain.contacts import Contact, Contacts
from service.domain.custom_presence import CustomPresences
from service.domain.device_mapping import DeviceMapping, MappingChange
from service.domain.device_states import DeviceStates, Freshness
from service.domain.extension_hints import QUEUE_MEMBERS, ExtensionHints
from service.domain.hints import DO_NOT_DISTURB
from service.domain.models import DeviceState, Extension, Reading, device_of
from service.domain.queues import Queues
from service.domain.status.device_troubles import DeviceTroubles
from service.domain.status.facts import DeviceTrouble, LinkFailure

QUEUE_DEVICE_PREFIX = "Queue:"
"""Prefix of the device names that `app_queue` provides."""
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


class CallServer:
    """The state of one call server. Its writer sets the states; everyone reads.

    `clock` returns monotonic seconds, and a confirmation of the states is valid for `deadline` of them.
    """

    def __init__(
        self,
        name: str,
        *,
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
        self.all_queues = Queues()
        """The queues, current or not; see `queues`."""
        self.troubles = DeviceTroubles()
        self.changed: Callable[[str | None], None] = lambda _: None
        """Called with the number of an extension that may have changed, or None for all."""
        self.contacts_changed: Callable[[str, bool], None] = lambda _endpoint, _read: None
        """Called with an endpoint whose contacts may have changed, and whether they were read with their details."""
        self.configuration_changed: Callable[[], None] = lambda: None
        """Called when the link comes up, and when Asterisk reloads its configuration."""
        self.queues_changed: Callable[[], None] = lambda: None
        """Called when the queues, or the extensions of their members, may have changed."""
        self.facts = LinkFacts()

        self.hints_set: Callable[[Set[str]], None] = lambda _: None
        """Called with numbers of the call server whose hints were set or removed."""

    def follow(self, wanted: Iterable[Extension], unwanted: Set[str]) -> None:
        """Follow the `wanted` extensions from now on, and no longer the `unwanted`; others stay as they are."""
        self._follow_devices(self.mapping.follow(wanted, unwanted))

    def _follow_devices(self, change: MappingChange) -> None:
        self.queues_changed()

    # --- acts: what only the link can do ------------------------------------------------------------------------

    def read_contacts_later(self, endpoint: str) -> None:
        """Have an endpoint's contacts read again soon. `contacts_changed` reports it."""
        raise NotImplementedError

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

    @property
    def queues(self) -> Queues | None:
        """The current queues; None if unknown or possibly outdated."""
        return self.all_queues if self.all_queues.known and self.states.current else None

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

    def untracked(self) -> Set[str]:
        """The devices of followed extensions whose state is unknown; all of them unless the link is live."""
        raise NotImplementedError

    def trouble_of(self, device: str) -> DeviceTrouble | None:
        """Why the last attempt did not make the device's state known; None if it is known, or not yet attempted."""
        return self.troubles.get(device) if device not in self.states else None

    @property
    def refused_accounts(self) -> Mapping[str, str]:
        """The AMI accounts beside `monitor` that Asterisk refuses, by kind, and why."""
        raise NotImplementedError

    @property
    def hint_differences(self) -> int:
        """Hints whose own status lastingly differs from their devices' states."""
        raise NotImplementedError

    # --- changes -----------------------------------------------------------------------------------------------

    @property
    def _live(self) -> bool:
        return self.states.freshness is Freshness.LIVE

    def _touch_endpoint(self, endpoint: str) -> None:
        """Report the extensions that have this endpoint as changed."""
        self._touch_device(device_of(endpoint))

    def _touch_device(self, device: str) -> None:
        for number in self.mapping.numbers_of(device):
            self.changed(number)

    def _touch_presence(self, presence_id: str) -> None:
        for number in self.mapping.numbers_of_presence(presence_id):
            self.changed(number)

    def _on_device_changed(self, device: str | None) -> None:
        if device is None:
            self.changed(None)
        elif device.startswith(DO_NOT_DISTURB):
            if (number := self.mapping.number_of(device[len(DO_NOT_DISTURB) :])) is not None:
                self.changed(number)
        else:
            self._touch_device(device)

    def _on_hints_changed(self, local_numbers: Set[str]) -> None:
        """Map these numbers of the call server again."""
        self.hints_set(local_numbers)
        numbers, change = self.mapping.remap(local_numbers)
        self._follow_devices(change)
        for number in numbers:
            self.changed(number)
