"""What Asterisk tells of one phone and cannot be true together: a doubt, which is marked, and asked about again.

A device that is `Not in use` has somebody who can be called, so an endpoint without a contact is not; and one that is
`Unavailable` has no contact that answers. Both are seen for a moment whenever a phone comes or goes, as each fact has
an event of its own. They last when contacts are lost behind Asterisk's back, as by `database deltree registrar/contact`
(measured): it tells nobody, goes by the device state of before, and is silent too when the same phone registers again.

Which of the two is true nobody knows. The state is Asterisk's word; the contacts are said not to be known until the two
agree. They are read again, ever more seldom, and the device states are compared.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from service.domain.contacts import Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import DeviceState, device_of

SETTLES_IN = 1.0
"""Seconds in which facts that belong together have come, surely."""
AGAIN_IN = 5.0
"""Seconds until the contacts are read for a second time; it doubles."""
AT_MOST = 60.0
PER_SECOND = 100
"""Endpoints that are looked at in a second: contacts may be lost all at once."""
RESYNC_EVERY = 15.0
"""Seconds between two comparisons of all device states for the sake of doubts."""


@dataclass(slots=True)
class _Doubt:
    due: float
    again_in: float = AGAIN_IN


class Contradictions:
    """Those of one call server. What is not `async` never waits."""

    def __init__(
        self, contacts: Contacts, states: DeviceStates, reread: Callable[[str], None], resync: Callable[[], None]
    ) -> None:
        self._contacts = contacts
        self._states = states
        self._reread = reread
        self._resync = resync
        self._doubts: dict[str, _Doubt] = {}
        self._some = asyncio.Event()

    def look(self, endpoint: str) -> None:
        """Something was told of it. Whoever tells of changes does so after this."""
        if not self._contradicts(endpoint):
            if self._doubts.pop(endpoint, None) is not None:
                self._contacts.trust(endpoint)
        elif endpoint not in self._doubts:
            self._doubts[endpoint] = _Doubt(asyncio.get_running_loop().time() + SETTLES_IN)
            self._some.set()

    def lost(self) -> None:
        """The link is gone, and with it all knowledge."""
        self._doubts.clear()

    async def run(self, changed: Callable[[str], None]) -> None:
        """Follow doubts until cancelled. `changed` is called with an endpoint that is told otherwise from now on."""
        loop = asyncio.get_running_loop()
        resync_after = 0.0
        while True:
            if not self._doubts:
                self._some.clear()
                await self._some.wait()
            await asyncio.sleep(SETTLES_IN)
            now = loop.time()
            due = list(islice((endpoint for endpoint, doubt in self._doubts.items() if doubt.due <= now), PER_SECOND))
            for endpoint in due:
                self.look(endpoint)  # a snapshot may have settled it
                if endpoint in self._doubts:
                    self._pursue(endpoint, self._doubts[endpoint], now)
                changed(endpoint)
            if due and now >= resync_after:
                resync_after = now + RESYNC_EVERY
                self._resync()

    def _pursue(self, endpoint: str, doubt: _Doubt, now: float) -> None:
        self._contacts.doubt(endpoint)
        self._reread(endpoint)
        doubt.due, doubt.again_in = now + doubt.again_in, min(2 * doubt.again_in, AT_MOST)

    def _contradicts(self, endpoint: str) -> bool:
        state = self._states.get(device_of(endpoint))
        if state is DeviceState.NOT_INUSE:
            return self._contacts.told(endpoint) == ()
        if state is DeviceState.UNAVAILABLE:
            return any(contact.reachable for contact in self._contacts.told(endpoint) or ())
        return False
