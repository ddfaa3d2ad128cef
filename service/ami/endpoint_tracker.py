"""Endpoints that Asterisk does not track, and how they get to be live.

The trap (measured on 22.10): an endpoint that is inserted into PostgreSQL while Asterisk runs can register at once,
but Asterisk tells nobody. No `DeviceStateChange` comes, it is absent from `DeviceStateList`, and
`Getvar DEVICE_STATE` goes on to say UNAVAILABLE. What still comes is `ContactStatus`. And `PJSIPQualify`, which the
`monitor` account may do, mends an endpoint whose phone registers, at once and for good: `ContactStatus: Reachable`,
`DeviceStateChange`, and every later change.

So an extension that the live map has not seen is looked at once its contacts are known (`contact_reader`). Without a
contact nobody is there to be qualified: Asterisk is asked for the state, and UNAVAILABLE is true; it is *assumed* until
the next `ContactStatus` of that endpoint, which voids it and starts over. With a contact, or when nobody knows of
contacts, it is qualified, and asked about after longer than a qualify may take. If each contact is unreachable then,
as Asterisk's qualify told, UNAVAILABLE is true as well: Asterisk goes on to qualify, and tells when one answers.

If it is UNAVAILABLE and a contact may answer all the same, nobody can know: it stays untracked. That happens when
Asterisk booted while PostgreSQL was away, with registrations kept in its astdb; then only `pjsip reload qualify
endpoint`, through the optional `sync` account, mends it before the phone registers anew.

Every replica does this for itself: all of it is idempotent, and few a second, so that Asterisk has time for
calls (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Set

import structlog

from service.ami.client import Account, AmiClient, NullEvents, connected
from service.ami.extension_warnings import ExtensionWarnings
from service.domain.contacts import Contacts
from service.domain.device_states import DeviceStates, Freshness
from service.domain.models import DeviceState, device_of
from service.errors import CallServerUnavailable, Invalid

log = structlog.get_logger(__name__)

QUALIFY_WAIT = 3.5
"""Seconds. More than `qualify_timeout` of the view `ps_aors` (3.0)."""
RETRY = 15.0
"""Seconds until an endpoint whose state could not be had is asked for again."""
RELOAD_EVERY = 300.0
"""Seconds between two privileged commands for one extension, unless a contact of it came or went."""
CONCURRENCY = 20
"""Actions of this kind under way at one time: others want answers too."""
PER_SECOND = 200
"""Extensions that are begun with in a second. Each takes Asterisk and PostgreSQL half a millisecond."""


class EndpointTracker:
    """Follows the extensions of one call server. What is not `async` may be called at any time, and never waits.

    `reread` is called with an extension whose contacts are not what they were taken for.
    """

    def __init__(
        self,
        call_server: str,
        states: DeviceStates,
        contacts: Contacts,
        reread: Callable[[str], None],
        sync: Account | None = None,
    ) -> None:
        self._states = states
        self._contacts = contacts
        self._reread = reread
        self._sync = sync
        self._wanted: set[str] = set()
        self._asking: dict[str, asyncio.Event] = {}  # set once a contact showed up meanwhile
        self._queue: deque[str] = deque()
        self._perhaps_booting: set[str] = set()
        self._reloaded: dict[str, float] = {}  # when the `sync` account was used for it
        self._due = asyncio.Event()
        self._complaints = ExtensionWarnings(log.bind(call_server=call_server))

    def follow(self, wanted: Set[str], unwanted: Set[str]) -> None:
        """These are extensions of this call server from now on, and these are none."""
        for gone in self._wanted & unwanted:
            self._reloaded.pop(gone, None)
            self._complaints.over(gone)
        self._wanted |= wanted
        self._wanted -= unwanted

    def look(self, extension: str) -> None:
        """Its contacts were read: now it can be asked about, if need be."""
        if self._is_due(extension):
            self._queue.append(extension)
            self._due.set()
        elif device_of(extension) in self._states:
            self._complaints.over(extension)

    def contact(self, endpoint: str) -> None:
        """A contact of this endpoint came, changed or went: whatever is being asked about it is out of date."""
        self._reloaded.pop(endpoint, None)
        if endpoint in self._wanted and self._states.doubt(device_of(endpoint)):
            if endpoint in self._asking:
                self._asking[endpoint].set()
            self._queue.appendleft(endpoint)
            self._due.set()

    def untracked(self) -> list[str]:
        """The wanted extensions whose state is not known."""
        return [number for number in self._wanted if device_of(number) not in self._states]

    def snapshot_taken(self, *, first: bool) -> None:
        """Look again for extensions that are not tracked. After a link's `first` snapshot contacts are read first.

        Asterisk may have just booted then. It calls a phone that is registered UNAVAILABLE until its next qualify, so
        those are qualified too.
        """
        if first:
            self._perhaps_booting = set(self._wanted)
            self._due.set()
        else:
            for number in self.untracked():
                self.look(number)

    def _is_due(self, number: str) -> bool:
        if number not in self._wanted or number in self._asking:
            return False
        state = self._states.get(device_of(number))
        if state is DeviceState.UNAVAILABLE:
            return number in self._perhaps_booting and self._contacts.of(number) != ()
        return state is None

    async def run(self, connection: AmiClient) -> None:
        """Work for one connection, until it ends. Raises CallServerUnavailable then."""
        self._asking.clear()
        self._queue.clear()
        slots = asyncio.Semaphore(CONCURRENCY)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._due.wait()
                self._due.clear()
                # Before the first snapshot nobody knows what is not tracked.
                while self._queue and self._states.freshness is Freshness.LIVE:
                    number = self._queue.popleft()
                    due = self._is_due(number)
                    if due:
                        shown = self._asking[number] = asyncio.Event()
                        tasks.create_task(self._track(connection, number, slots, shown), name=f"track {number}")
                    await asyncio.sleep(1 / PER_SECOND if due else 0)

    async def _track(self, connection: AmiClient, number: str, slots: asyncio.Semaphore, shown: asyncio.Event) -> None:
        """Qualify, wait, ask. A contact that shows up meanwhile ends it early, and it is looked at anew."""
        device = device_of(number)
        self._perhaps_booting.discard(number)
        try:
            if self._contacts.of(number) != () and not self._is_out_of_reach(number):
                async with slots:
                    await connection.qualify(number)
                if await _comes(shown, QUALIFY_WAIT):
                    return
            if device not in self._states:
                async with slots:
                    await self._ask(connection, number, device, shown)
            if device not in self._states:
                await _comes(shown, RETRY)
        except Invalid:  # not a number that could be asked for; it stays untracked
            self._wanted -= {number}
        except CallServerUnavailable as error:
            if connection.why_ended is not None:
                raise
            self._complaints.log(logging.WARNING, "endpoint_sync_failed", number, error=str(error))
            await asyncio.sleep(RETRY)
        finally:
            del self._asking[number]
            self.look(number)

    async def _ask(self, connection: AmiClient, number: str, device: str, shown: asyncio.Event) -> None:
        """Take Asterisk's word for a device that it has told nothing of, where its word can be true."""
        answer = await connection.variable(f"DEVICE_STATE({device})")
        state = DeviceState.__members__.get(answer, DeviceState.INVALID)
        if state is DeviceState.INVALID:
            self._complaints.log(logging.INFO, "endpoint_unknown", number)
            return
        if state is not DeviceState.UNAVAILABLE or await self._cannot_be_reached(connection, number):
            if not shown.is_set():
                self._states.assume(device, state)
        else:
            sync = self._sync is not None
            self._complaints.log(logging.WARNING, "endpoint_untracked", number, sync_account=sync)
            await self._reload(connection, number)

    def _is_out_of_reach(self, number: str) -> bool:
        """Whether Asterisk's own qualify found that no contact answers: then its device state is true."""
        contacts = self._contacts.of(number)
        return bool(contacts) and all(contact.reachable is False for contact in contacts or ())

    async def _cannot_be_reached(self, connection: AmiClient, number: str) -> bool:
        """Whether that is sure. Of a contact that Asterisk kept, but does not track, no event tells that it ended."""
        known = self._contacts.of(number)
        if known == () or self._is_out_of_reach(number):
            return True  # an event after the one that told so sets `shown`
        none = await connection.contact_ids(number) == []
        if none and known is not None:
            self._reread(number)
        return none

    async def _reload(self, connection: AmiClient, number: str) -> None:
        """Have Asterisk read the endpoint and its contacts anew, then find out whether the phone is there."""
        now = asyncio.get_running_loop().time()
        if self._sync is not None and now > self._reloaded.get(number, float("-inf")) + RELOAD_EVERY:
            self._reloaded[number] = now
            async with connected(self._sync, NullEvents()) as account:
                await account.command(f"pjsip reload qualify endpoint {number}")
            await connection.qualify(number)


async def _comes(event: asyncio.Event, within: float) -> bool:
    try:
        async with asyncio.timeout(within):
            return await event.wait()
    except TimeoutError:
        return False
