"""Endpoints that Asterisk does not track yet, and how they get to be live.

The trap (measured on 22.10): an endpoint that is inserted into PostgreSQL while Asterisk runs can register at once,
but Asterisk tells nobody. No `DeviceStateChange` comes, it is absent from `DeviceStateList`, and
`Getvar DEVICE_STATE` goes on to say UNAVAILABLE. What still comes is `ContactStatus`. And `PJSIPQualify`, which the
`monitor` account may do, mends an endpoint that has a contact at once and for good: `ContactStatus: Reachable`,
`DeviceStateChange`, and every later change.

So, for each extension that the live map has not seen: qualify it, wait longer than a qualify may take, then ask for its
state. If no event came by then, nobody is registered there and the answer is true; it is *assumed* until the first
`ContactStatus` of that endpoint, which voids it and starts over. Every replica does this for itself; all of it is
idempotent. No account with write class `command` is needed (docs/decisions/0003-no-command-account.md).
"""

from __future__ import annotations

import asyncio

import structlog

from service.asterisk.connection import Connection
from service.errors import CallServerUnavailable, Invalid
from service.live.device_states import DeviceStates
from service.model import DeviceState, device_of

log = structlog.get_logger(__name__)

QUALIFY_WAIT = 3.5
"""Seconds. More than `qualify_timeout` of the view `ps_aors` (3.0)."""
RETRY = 15.0
"""Seconds until an endpoint that Asterisk did not know is asked for again."""
AT_ONCE = 20
"""Actions of this kind under way at one time: Asterisk answers thousands a second, others want answers too."""


class Tracker:
    """Follows the extensions of one call server. `want` and `contact` may be called at any time, and never wait."""

    def __init__(self, call_server: str, states: DeviceStates) -> None:
        self._states = states
        self._wanted: frozenset[str] = frozenset()
        self._asking: set[str] = set()
        self._due = asyncio.Event()
        self._log = log.bind(call_server=call_server)

    def want(self, extensions: frozenset[str]) -> None:
        """These are the extensions of this call server now."""
        self._wanted = extensions
        self._due.set()

    def contact(self, endpoint: str) -> None:
        """A contact of this endpoint came, or changed."""
        if endpoint in self._wanted and self._states.doubt(device_of(endpoint)):
            self._due.set()

    def untracked(self) -> list[str]:
        """The wanted extensions whose state is not known."""
        return [number for number in self._wanted if device_of(number) not in self._states]

    def again(self) -> None:
        """Look again for extensions that are not tracked: a snapshot was taken."""
        self._due.set()

    async def run(self, connection: Connection) -> None:
        """Work for one connection, until it ends. Raises CallServerUnavailable then."""
        self._asking.clear()
        slots = asyncio.Semaphore(AT_ONCE)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._due.wait()
                self._due.clear()
                for number in self.untracked():
                    if number not in self._asking:
                        self._asking.add(number)
                        tasks.create_task(self._track(connection, number, slots), name=f"track {number}")

    async def _track(self, connection: Connection, number: str, slots: asyncio.Semaphore) -> None:
        device = device_of(number)
        try:
            async with slots:
                known = device in self._states or await connection.qualify(number)
            await asyncio.sleep(QUALIFY_WAIT if known else RETRY)
            if not known:
                self._log.info("asterisk does not know this endpoint yet", extension=number)
            elif device not in self._states and number in self._wanted:
                async with slots:
                    answer = await connection.variable(f"DEVICE_STATE({device})")
                state = DeviceState.__members__.get(answer, DeviceState.INVALID)
                if state is not DeviceState.INVALID:
                    self._states.assume(device, state)
        except Invalid:  # not a number that could be asked for; it stays untracked
            self._wanted -= {number}
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
            await asyncio.sleep(RETRY)
        finally:
            self._asking.discard(number)
            self._due.set()
