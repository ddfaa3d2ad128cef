"""Facts about one endpoint that contradict each other: they are marked, and read again.

A device that is `Not in use` has a phone that can be called, so an endpoint without a contact contradicts it; a device
that is `Unavailable` has no contact that answers. Both occur for a moment whenever a phone comes or goes, as each fact
has an event of its own. They last if contacts are deleted behind Asterisk's back, as by `database deltree
registrar/contact` (measured): Asterisk sends no event, keeps the old device state, and is silent even when the same
phone registers again.

Neither fact can be trusted over the other. The device state stays as Asterisk reports it; the contacts count as unknown
until both agree. The contacts are read again, at growing intervals, and the device states are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from service.domain.contacts import Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import DeviceState, device_of

SETTLING_TIME = 1.0
"""Seconds within which all events of one change have arrived."""
REREAD_INTERVAL = 5.0
"""Seconds until the contacts are read a second time; it doubles."""
MAX_REREAD_INTERVAL = 60.0
MAX_ENDPOINTS_PER_ROUND = 100
"""Endpoints checked per round, about once a second: contacts may be lost all at once."""
SNAPSHOT_INTERVAL = 15.0
"""Minimum seconds between two snapshots of all device states that contradictions request."""


@dataclass(slots=True)
class _Contradiction:
    due_at: float
    interval: float = REREAD_INTERVAL


class Contradictions:
    """The contradictions of one call server. Methods that are not `async` never block."""

    def __init__(
        self,
        contacts: Contacts,
        states: DeviceStates,
        reread: Callable[[str], None],
        request_snapshot: Callable[[], None],
    ) -> None:
        self._contacts = contacts
        self._states = states
        self._reread = reread
        self._request_snapshot = request_snapshot
        self._open: dict[str, _Contradiction] = {}
        self._any_open = asyncio.Event()

    def check(self, endpoint: str) -> None:
        """Check an endpoint after an event. Call it before the change is published."""
        if not self._is_contradictory(endpoint):
            if self._open.pop(endpoint, None) is not None:
                self._contacts.trust(endpoint)
        elif endpoint not in self._open:
            self._open[endpoint] = _Contradiction(asyncio.get_running_loop().time() + SETTLING_TIME)
            self._any_open.set()

    def lost(self) -> None:
        """Clear all: the link is down."""
        self._open.clear()

    async def run(self, changed: Callable[[str], None]) -> None:
        """Handle contradictions until cancelled. `changed` is called with each endpoint that was handled."""
        loop = asyncio.get_running_loop()
        next_snapshot_at = 0.0
        while True:
            if not self._open:
                self._any_open.clear()
                await self._any_open.wait()
            await asyncio.sleep(SETTLING_TIME)
            now = loop.time()
            overdue = (endpoint for endpoint, found in self._open.items() if found.due_at <= now)
            due = list(islice(overdue, MAX_ENDPOINTS_PER_ROUND))
            for endpoint in due:
                self.check(endpoint)  # a snapshot may have settled it
                if endpoint in self._open:
                    self._reread_contacts(endpoint, self._open[endpoint], now)
                changed(endpoint)
            if due and now >= next_snapshot_at:
                next_snapshot_at = now + SNAPSHOT_INTERVAL
                self._request_snapshot()

    def _reread_contacts(self, endpoint: str, found: _Contradiction, now: float) -> None:
        self._contacts.doubt(endpoint)
        self._reread(endpoint)
        found.due_at, found.interval = now + found.interval, min(2 * found.interval, MAX_REREAD_INTERVAL)

    def _is_contradictory(self, endpoint: str) -> bool:
        state = self._states.get(device_of(endpoint))
        if state is DeviceState.NOT_INUSE:
            return self._contacts.reported(endpoint) == ()
        if state is DeviceState.UNAVAILABLE:
            return any(contact.reachable for contact in self._contacts.reported(endpoint) or ())
        return False
