"""The supervised link to one Asterisk: connect, log in, wait for FullyBooted, snapshot, watch, and all again.

One task owns it. Everything that it learns goes into one `DeviceStates`, in the order read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import structlog
from panoramisk.message import Message

from service.asterisk.connection import Account, Connection, NotPermitted, connected, parse_presence
from service.asterisk.contact_reader import ContactReader
from service.asterisk.retry import delays, foremost, is_refusal
from service.asterisk.tracker import Tracker
from service.errors import CallServerUnavailable
from service.live.contacts import Contact, Contacts
from service.live.device_states import DeviceStates, Freshness
from service.live.presences import Presences
from service.model import PJSIP, DeviceState

log = structlog.get_logger(__name__)

BOOT_PATIENCE = 120.0
"""Seconds to wait for FullyBooted after a login. An account without read class `system` never hears it."""
REFUSED_DELAY = 30.0
"""Seconds until the next try after a refusal, which only an operator can mend."""
COMPARE_EVERY = 300.0
"""Seconds between two snapshots of a link that gives no reason for doubt."""


def uptime() -> float:
    """Seconds that pass also while the machine is suspended: what was known before it slept is old when it wakes."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


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


class Link:
    """One call server's link. `run` never returns by itself; it implements `wire.Events`."""

    def __init__(
        self,
        name: str,
        account: Account,
        *,
        sync: Account | None = None,
        deadline: float,
        clock: Callable[[], float] = uptime,
        delays: Callable[[], Iterator[float]] = delays,
    ) -> None:
        self.name = name
        self.states = DeviceStates(clock, deadline, self._device_changed)
        self.contacts = Contacts()
        self.presences = Presences()
        self.changed: Callable[[str | None], None] = lambda _: None
        """Called with an endpoint of which something may have changed, or with None for all of them."""
        self.facts = LinkFacts()
        self.tracker = Tracker(name, self.states, sync)
        self._reader = ContactReader(self.contacts, lambda endpoint: self.changed(endpoint))
        self._account = account
        self._deadline = deadline
        self._clock = clock
        self._delays = delays
        self._connection: Connection | None = None
        self._booted = False
        self._stale = False  # a snapshot is due
        self._compared_at = clock()
        self._wake = asyncio.Event()
        self._log = log.bind(call_server=name)

    def want(self, extensions: frozenset[str]) -> None:
        """These are the call server's extensions now: their devices and contacts are to be known."""
        self.tracker.want(extensions)
        self._reader.want(extensions)

    def contacts_of(self, endpoint: str) -> tuple[Contact, ...] | None:
        """The contacts of an endpoint now; None when they are not known, or not known to be so now."""
        return self.contacts.of(endpoint) if self.states.current else None

    # --- what the wire tells ---------------------------------------------------------------------------------

    def device_state(self, device: str, state: DeviceState) -> None:
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
            self._contact_status(message.endpointname, message)
        elif name == "PresenceStateChange":
            if (told := parse_presence(message)) is not None:
                self.presences.apply(*told)
                self.changed(told[0])
        elif name == "Shutdown" and self._connection is not None:
            self._connection.end("Asterisk is shutting down")

    def _contact_status(self, endpoint: str, message: Message) -> None:
        took = message.roundtripusec
        if self.contacts.apply(endpoint, message.uri, message.contactstatus, int(took) if took.isdecimal() else None):
            self._reader.read(endpoint)
        self.tracker.contact(endpoint)
        self.changed(endpoint)

    def _device_changed(self, device: str | None) -> None:
        if device is None:
            self.changed(None)
        elif device.startswith(PJSIP):
            self.changed(device[len(PJSIP) :])

    def _note_event(self) -> None:
        self.facts.events += 1
        self.facts.last_event = time.time()

    def lost(self, why: str) -> None:
        """At once, not when the task gets round to it: nothing is live without a line."""
        self.states.lost()
        self.contacts.lost()
        self.presences.lost()
        self.changed(None)
        self._wake.set()

    def _doubt(self) -> None:
        self._stale = True
        self._wake.set()

    # --- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        pauses = self._delays()
        while True:
            self.states.connecting()
            resynchronisations = self.facts.resynchronisations
            try:
                await self._session()
            except* CallServerUnavailable as failures:
                error = foremost(failures)
            self.states.lost()
            if self.facts.resynchronisations > resynchronisations:
                pauses = self._delays()
            pause = next(pauses)
            refused = is_refusal(error)
            if refused:
                pause = max(pause, REFUSED_DELAY)
            self._tell(error, refused)
            await asyncio.sleep(pause)

    def _tell(self, error: CallServerUnavailable, refused: bool) -> None:
        """Loud for the first failure of an outage and for each new reason; repeats are for debugging."""
        news = self.facts.why_ended is None or refused > self.facts.refused
        self.facts.failures += 1
        self.facts.why_ended, self.facts.refused = str(error), refused
        level = "debug" if not news else "error" if refused else "warning"
        getattr(self._log, level)("the link to asterisk is down", error=str(error))

    async def _session(self) -> None:
        self._booted = self._stale = False
        async with connected(self._account, self) as self._connection:
            self.states.synchronising()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._watch(self._connection), name=f"watch {self.name}")
                    tasks.create_task(self.tracker.run(self._connection), name=f"track {self.name}")
                    tasks.create_task(self._reader.run(self._connection), name=f"contacts {self.name}")
            finally:
                self._connection = None

    async def _watch(self, connection: Connection) -> None:
        """Ping, and take a snapshot whenever one is due. Raises CallServerUnavailable at the line's end."""
        boot_ends = self._clock() + BOOT_PATIENCE
        while True:
            self._wake.clear()
            if connection.why_ended is not None:
                raise CallServerUnavailable(connection.why_ended)
            if self._clock() - self._compared_at > COMPARE_EVERY:
                self._stale = True
            if self._booted and self._stale:
                await self._resynchronise(connection)
            else:
                await self._ping(connection)
                self._tell_corrections()
            if not self._booted and self._clock() > boot_ends:
                raise NotPermitted("no FullyBooted: Asterisk still boots, or the account lacks read class `system`")
            if not self._stale or not self._booted:
                await self._pause(self._deadline / 4)

    async def _resynchronise(self, connection: Connection) -> None:
        """The snapshot rule: see `service.live.device_states`."""
        self._stale = False
        self._compared_at = self._clock()
        first = self.states.freshness is not Freshness.LIVE
        self.states.begin_snapshot()
        self.presences.begin_snapshot()
        snapshot = await connection.device_states()
        presences = await connection.presences()
        await self._ping(connection)
        self.states.end_snapshot(snapshot)
        self.presences.end_snapshot(presences)
        self.changed(None)
        self.facts.resynchronisations += 1
        self.facts.last_resynchronisation = time.time()
        self.tracker.snapshot_taken(first=first)
        if first:
            self.facts.why_ended, self.facts.refused = None, False
            self._reader.begin()
            self._log.info("the link to asterisk is live", devices=len(self.states))

    def _tell_corrections(self) -> None:
        corrected = self.states.take_corrections()
        if corrected:
            self.facts.corrections += corrected
            self._log.warning("the live map differed from asterisk and is mended", devices=corrected)

    async def _ping(self, connection: Connection) -> None:
        sent = self._clock()
        await connection.ping(self._deadline)
        self.states.confirmed(sent)
        self.facts.last_pong = time.time()

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        except TimeoutError:
            pass
