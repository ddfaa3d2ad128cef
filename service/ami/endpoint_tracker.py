"""Makes devices live that Asterisk does not report by itself.

The trap (measured on 22.10): an endpoint that is inserted into PostgreSQL while Asterisk runs can register immediately,
but Asterisk reports no state. It sends no `DeviceStateChange`, omits the device from `DeviceStateList`, and answers
`Getvar DEVICE_STATE` with UNAVAILABLE. It does send `ContactStatus`. `PJSIPQualify`, which the `monitor` account may
send, repairs an endpoint with a registered phone immediately and for good: `ContactStatus: Reachable`,
`DeviceStateChange` and all later changes follow.

An endpoint without a known state is therefore handled once its contacts were read (`contact_sync`). Without a contact
there is no phone to qualify: Asterisk is asked for the state, and UNAVAILABLE is true; it is *assumed* until the
endpoint's next `ContactStatus`, which voids it and starts over. With a contact, or if contacts are unknown, the
endpoint is qualified, and its state read after longer than a qualify may take. If every contact is unreachable by then,
according to Asterisk's qualify, UNAVAILABLE is true as well: Asterisk keeps qualifying, and reports when a contact
answers.

If the state is UNAVAILABLE and a contact may answer nevertheless, the state cannot be known and the endpoint stays
untracked. That happens if Asterisk booted while PostgreSQL was down, with registrations kept in its astdb. Only `pjsip
reload qualify endpoint`, through the optional `sync` account, then repairs it before the phone registers again.

Devices of other technologies (`SIP/1003`, `IAX2/1007`) have neither the trap nor contacts: Asterisk lists a device once
its state has changed. One that no list or event has shown is read once, and its state assumed until its first event.

Every replica does this for itself: every step is idempotent, and the rate is limited, so that Asterisk has time for
calls (docs/decisions/0003).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Iterable, Set

import structlog

from service.ami.accounts import Account
from service.ami.client import AmiClient
from service.ami.endpoint_reloads import EndpointReloads
from service.ami.event_waits import is_set_within
from service.ami.limited_warnings import LimitedWarnings
from service.domain.contacts import Contact, Contacts
from service.domain.device_states import DeviceStates, Freshness
from service.domain.models import PJSIP, DeviceState
from service.domain.status.device_troubles import DeviceTroubles
from service.domain.status.facts import DeviceTrouble, Trouble
from service.errors import CallServerUnavailable, Invalid
from service.slices import SLICE, in_slices

log = structlog.get_logger(__name__)

QUALIFY_WAIT = 3.5
"""Seconds to wait after a qualify: more than `qualify_timeout` of the view `ps_aors` (3.0)."""
RETRY_DELAY = 15.0
"""Seconds until a device whose state stayed unknown is tried again."""
MAX_CONCURRENT_ACTIONS = 20
"""Actions of the tracker in flight at one time: other actions need responses too."""
STARTS_PER_SECOND = 200
"""Devices started per second. Each takes Asterisk and PostgreSQL half a millisecond."""


class EndpointTracker:
    """Tracks the devices of one call server. Methods that are not `async` never block.

    `reread` is called with an endpoint whose known contacts turn out to be wrong.
    """

    def __init__(
        self,
        call_server: str,
        states: DeviceStates,
        contacts: Contacts,
        reread: Callable[[str], None],
        sync: Account | None = None,
        troubles: DeviceTroubles | None = None,
    ) -> None:
        self._states = states
        self._contacts = contacts
        self._reread = reread
        self._reloads = EndpointReloads(sync)
        self._wanted: set[str] = set()
        self._without_contacts: set[str] = set()  # the wanted devices that are no endpoints
        self._untracked: set[str] = set()  # as of this version of the states' devices
        self._untracked_version = -1
        self._in_progress: dict[str, asyncio.Event] = {}  # the event is set when a contact of the device changes
        self._queue: deque[str] = deque()
        self._possibly_stale: set[str] = set()  # UNAVAILABLE may be left over from a boot
        self._wake = asyncio.Event()
        self._warnings = LimitedWarnings(log.bind(call_server=call_server))
        self._troubles = troubles if troubles is not None else DeviceTroubles()

    def follow(self, wanted: Set[str], unwanted: Set[str]) -> None:
        """Track the `wanted` devices from now on, and no longer the `unwanted`."""
        for removed in self._wanted & unwanted:
            self._reloads.forget(removed)
            self._warnings.clear(removed)
            self._troubles.put(removed, None)
        without_contacts = {device for device in wanted if not device.startswith(PJSIP)}
        self._wanted |= wanted
        self._wanted -= unwanted
        self._untracked_version = -1
        self._without_contacts |= without_contacts
        self._without_contacts -= unwanted
        if self._states.freshness is Freshness.LIVE:
            self._track_all(without_contacts)

    def track_if_unknown(self, device: str) -> None:
        """Queue the device if its state is unknown. Call it for an endpoint once its contacts were read."""
        if self._is_due(device):
            self._queue.append(device)
            self._wake.set()
        elif device in self._states:
            self._warnings.clear(device)
            self._troubles.put(device, None)

    def on_contact_event(self, device: str) -> None:
        """One of the endpoint's contacts came, changed or went: work in progress on it is outdated."""
        self._reloads.forget(device)
        doubted = self._states.doubt(device)  # also what is not wanted: it may be wanted again
        if doubted and device in self._in_progress:
            self._in_progress[device].set()
        if doubted and device in self._wanted:
            self._queue.appendleft(device)
            self._wake.set()

    def untracked(self) -> Set[str]:
        """The wanted devices whose state is unknown."""
        if self._states.freshness is not Freshness.LIVE:
            return self._wanted
        if self._untracked_version != self._states.devices_version:
            self._untracked_version = self._states.devices_version
            self._untracked = self._states.unknown_of(self._wanted)
        return self._untracked

    def on_first_snapshot(self) -> None:
        """Queue the untracked devices. Endpoints wait for their contacts.

        Asterisk may have just booted. It reports a registered phone as UNAVAILABLE until the next qualify, so these
        endpoints are qualified too.
        """
        self._possibly_stale = self._wanted - self._without_contacts
        self._track_all(self._without_contacts)
        self._wake.set()

    async def on_routine_snapshot(self) -> None:
        """Queue the untracked devices."""
        async for devices in in_slices(tuple(self._wanted), SLICE):
            self._track_all(device for device in devices if device not in self._states)

    def _track_all(self, devices: Iterable[str]) -> None:
        for device in devices:
            self.track_if_unknown(device)

    def _is_due(self, device: str) -> bool:
        if device not in self._wanted or device in self._in_progress:
            return False
        state = self._states.get(device)
        if state is DeviceState.UNAVAILABLE:
            return device in self._possibly_stale and self._contacts_of(device) != ()
        return state is None

    def _contacts_of(self, device: str) -> tuple[Contact, ...] | None:
        """The contacts of an endpoint, None if unknown. Other devices have none."""
        return self._contacts.of(device[len(PJSIP) :]) if device.startswith(PJSIP) else ()

    async def run(self, connection: AmiClient) -> None:
        """Track over one connection until it ends. Raises CallServerUnavailable then."""
        self._reloads.connected()
        self._in_progress.clear()
        self._queue.clear()
        self._troubles.clear()
        slots = asyncio.Semaphore(MAX_CONCURRENT_ACTIONS)
        async with asyncio.TaskGroup() as tasks:
            while True:
                await self._wake.wait()
                self._wake.clear()
                # Before the first snapshot it is unknown which devices are untracked.
                while self._queue and self._states.freshness is Freshness.LIVE:
                    device = self._queue.popleft()
                    due = self._is_due(device)
                    if due:
                        changed = self._in_progress[device] = asyncio.Event()
                        tasks.create_task(self._track(connection, device, slots, changed), name=f"track {device}")
                    await asyncio.sleep(1 / STARTS_PER_SECOND if due else 0)

    async def _track(
        self, connection: AmiClient, device: str, slots: asyncio.Semaphore, changed: asyncio.Event
    ) -> None:
        """Qualify, wait, read the state. A contact event in between ends it early and starts over."""
        self._possibly_stale.discard(device)
        try:
            if self._contacts_of(device) != () and not self._is_unreachable(device):
                async with slots:
                    await connection.qualify(device[len(PJSIP) :])
                if await is_set_within(QUALIFY_WAIT, changed):
                    return
            if device not in self._states:
                async with slots:
                    await self._read_state(connection, device, changed)
            if device not in self._states:
                await is_set_within(RETRY_DELAY, changed)
        except Invalid:  # not a name that AMI can transmit; it stays untracked
            self._wanted -= {device}
            self._untracked_version = -1
        except CallServerUnavailable as error:
            if connection.why_ended is not None:
                raise
            self._troubles.put(device, DeviceTrouble(Trouble.FAILED, str(error)))
            self._warnings.log(logging.WARNING, "endpoint_sync_failed", device, error=str(error))
            await asyncio.sleep(RETRY_DELAY)
        finally:
            del self._in_progress[device]
            if device not in self._wanted:
                self._troubles.put(device, None)
            self.track_if_unknown(device)

    async def _read_state(self, connection: AmiClient, device: str, changed: asyncio.Event) -> None:
        """Read the state of an untracked device from Asterisk, and assume it where it can be true."""
        value = await connection.variable(f"DEVICE_STATE({device})")
        state = DeviceState.__members__.get(value, DeviceState.INVALID)
        if state is DeviceState.INVALID:
            self._troubles.put(device, DeviceTrouble(Trouble.UNKNOWN_TO_ASTERISK))
            self._warnings.log(logging.INFO, "endpoint_unknown", device)
            return
        if state is not DeviceState.UNAVAILABLE or await self._is_surely_unreachable(connection, device):
            if not changed.is_set():
                self._states.assume(device, state)
        else:
            self._troubles.put(device, DeviceTrouble(Trouble.UNTRACKED))
            self._warnings.log(logging.WARNING, "endpoint_untracked", device, sync_account=self._reloads.possible)
            await self._reloads.reload(connection, device)

    def _is_unreachable(self, device: str) -> bool:
        """Whether no contact answers Asterisk's qualify: its device state is true then."""
        contacts = self._contacts_of(device)
        return bool(contacts) and all(contact.reachable is False for contact in contacts or ())

    async def _is_surely_unreachable(self, connection: AmiClient, device: str) -> bool:
        """Whether no contact can answer. Asterisk sends no event when a contact that it does not track expires."""
        known = self._contacts_of(device)
        if known == () or self._is_unreachable(device):
            return True  # any later event sets `changed`
        endpoint = device[len(PJSIP) :]
        without_contact = await connection.contact_ids(endpoint) == []
        if without_contact and known is not None:
            self._reread(endpoint)
        return without_contact
