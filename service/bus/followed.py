"""A call server that another process follows: the same questions and callbacks as a link, written from entries."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from typing import Any

from service.bus.entries import Key, Table
from service.bus.messages import CollectorFacts
from service.clock import uptime
from service.domain.call_server import CallServer, LinkFacts
from service.domain.device_states import Freshness
from service.domain.models import device_of


class FollowedCallServer(CallServer):
    """The state of one call server, written by `service.bus.follower`. It begins without a collector."""

    def __init__(
        self,
        name: str,
        *,
        deadline: float,
        clock: Callable[[], float] = uptime,
        managed: bool = True,
        hint_context: str | None = None,
    ) -> None:
        super().__init__(name, deadline=deadline, clock=clock, managed=managed, hint_context=hint_context)
        self.states.lost(Freshness.NO_COLLECTOR)
        self.collector = CollectorFacts(self.facts, {}, 0)
        """What the collector that is followed says of itself."""
        self.read_contacts: Callable[[str], object] = lambda _: None
        """Asks the collector to read an endpoint's contacts."""
        self._is_void = True
        self._untracked: tuple[tuple[int, int, bool], Set[str]] = ((-1, -1, False), frozenset())

    # --- acts and queries ----------------------------------------------------------------------------------------

    def read_contacts_later(self, endpoint: str) -> None:
        self.read_contacts(endpoint)

    def untracked(self) -> Set[str]:
        live = self.states.freshness is Freshness.LIVE
        version = self.states.devices_version, self.mapping.version, live
        if self._untracked[0] != version:
            wanted = self.mapping.devices()
            self._untracked = version, self.states.unknown_of(set(wanted)) if live else set(wanted)
        return self._untracked[1]

    @property
    def refused_accounts(self) -> Mapping[str, str]:
        return self.collector.refused_accounts

    @property
    def hint_differences(self) -> int:
        return self.collector.hint_differences

    # --- writing -------------------------------------------------------------------------------------------------

    def tell(self, facts: CollectorFacts) -> None:
        """Take what the collector says of itself."""
        self.collector, self.facts = facts, facts.link

    def no_collector(self) -> None:
        """Take that no collector is heard: nothing is known of the link either."""
        self.tell(CollectorFacts(LinkFacts(), {}, 0))

    def void(self, freshness: Freshness) -> None:
        """Forget everything: nothing is live."""
        if self._is_void and self.states.freshness is freshness:
            return
        self._is_void = True
        self.states.lost(freshness)
        self.contacts.lost()
        self.presences.lost()
        self.troubles.clear()
        self.all_queues.lost()
        self.queues_changed()
        self.changed(None)

    def go_live(self, confirmed_at: float) -> None:
        """Take that the whole map is applied, and current as of a moment of the clock."""
        self._is_void = False
        self.states.confirm(confirmed_at)
        self.states.begin_snapshot()
        self.states.end_snapshot()
        self.queues_changed()
        self.changed(None)

    def put(self, table: Table, values: Mapping[Key, Any], read: Set[str] = frozenset()) -> None:
        """Set entries of one table; None removes. `read`: endpoints whose contacts were read with their details."""
        self._is_void = False
        match table:
            case "devices":
                for device, state in values.items():
                    self.states.put(device, state)
            case "contacts":
                self._put_contacts(values, read)
            case "presences":
                for presence_id, presence in values.items():
                    self.presences.apply(presence_id, presence)
                    self._touch_presence(presence_id)
            case "hints":
                for number, texts in values.items():
                    self.hints.put(number, texts)
                self._on_hints_changed(values.keys())
            case "troubles":
                for device, trouble in values.items():
                    self.troubles.put(device, trouble)
            case _:
                self.all_queues.put(**{"averages": {}, "members": {}, "callers": {}, table: values})
                self.queues_changed()

    def put_queues_known(self, known: bool) -> None:
        """Set whether the queues are known."""
        if known is not self.all_queues.known:
            self.all_queues.known = known
            self.queues_changed()

    def _put_contacts(self, values: Mapping[str, Any], read: Set[str]) -> None:
        for endpoint, contacts in values.items():
            if contacts is None:
                self.contacts.put(endpoint, None)
            else:
                self.contacts.put(endpoint, contacts.contacts, doubted=contacts.doubted)
            if self._live:
                self._touch_device(device_of(endpoint))
                self.contacts_changed(endpoint, endpoint in read)

    def _on_device_changed(self, device: str | None) -> None:
        if self._live:  # else all changes at once when it becomes live
            super()._on_device_changed(device)
