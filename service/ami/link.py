"""The supervised link to one Asterisk: connect, log in, wait for FullyBooted, snapshot, watch, and all again.

One task owns it. What it learns goes into maps that are its own, in the order read (`listener`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator

import structlog
from panoramisk.message import Message

from service.ami.account_checks import AccountChecks
from service.ami.client import Account, ActionNotPermitted, AmiClient, connected
from service.ami.events import LinkEvents
from service.ami.link_failures import foremost, is_refusal
from service.ami.uptime import has_run_for
from service.backoff import delays
from service.clock import uptime
from service.domain.device_states import Freshness
from service.errors import CallServerUnavailable

log = structlog.get_logger(__name__)

BOOT_PATIENCE = 120.0
"""Seconds that a boot may take. An account without read class `system` never hears FullyBooted."""
REFUSED_DELAY = 30.0
"""Seconds until the next try after a refusal, which only an operator can mend."""
COMPARE_EVERY = 300.0
"""Seconds between two snapshots of a link that gives no reason for doubt."""
UNHEARD_EVERY = 5.0
"""Seconds until the first comparison of a link that has heard of no change yet: perhaps it never will. They double."""


class Link(LinkEvents):
    """One call server's link. `run` never returns by itself."""

    def __init__(
        self,
        name: str,
        account: Account,
        *,
        sync: Account | None = None,
        presence: Account | None = None,
        deadline: float,
        clock: Callable[[], float] = uptime,
        delays: Callable[[], Iterator[float]] = delays,
    ) -> None:
        super().__init__(name, sync=sync, deadline=deadline, clock=clock)
        self._account = account
        self._deadline = deadline
        self._clock = clock
        self._delays = delays
        self._compared_at = clock()
        self._compare_in = COMPARE_EVERY
        self.accounts = AccountChecks(name, {"presence": presence, "sync": sync})
        self._log = log.bind(call_server=name)

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
        level = logging.DEBUG if not news else logging.ERROR if refused else logging.WARNING
        self._log.log(level, "ami_link_down", error=str(error))

    async def _session(self) -> None:
        self._booted = self._stale = self.heard = False
        async with connected(self._account, self) as self._connection:
            self.states.synchronising()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._watch(self._connection), name=f"watch {self.name}")
                    tasks.create_task(self.tracker.run(self._connection), name=f"track {self.name}")
                    tasks.create_task(self._reader.run(self._connection), name=f"contacts {self.name}")
                    tasks.create_task(self._queues.run(self._connection), name=f"queues {self.name}")
                    tasks.create_task(self._contradictions.run(self.changed), name=f"contradictions {self.name}")
                    tasks.create_task(self.accounts.run(), name=f"accounts {self.name}")
            finally:
                self._connection = None

    async def _watch(self, connection: AmiClient) -> None:
        """Ping, and take a snapshot whenever one is due. Raises CallServerUnavailable at the line's end."""
        boot_ends = self._clock() + BOOT_PATIENCE
        while True:
            self._wake.clear()
            if connection.why_ended is not None:
                raise CallServerUnavailable(connection.why_ended)
            if self._clock() - self._compared_at > (COMPARE_EVERY if self.heard else self._compare_in):
                self._stale = True
            if self._booted and self._stale:
                await self._resynchronise(connection)
            else:
                await self._ping(connection)
                self._tell_corrections()
            if not self._booted and (self._clock() > boot_ends or await has_run_for(connection, BOOT_PATIENCE)):
                raise ActionNotPermitted(
                    "Asterisk runs and FullyBooted was not heard: the account lacks read class `system`, "
                    "or its eventfilter leaves the event out"
                )
            if not self._stale or not self._booted:
                await self._pause(self._deadline / 4)

    async def _resynchronise(self, connection: AmiClient) -> None:
        """The snapshot rule: see `service.domain.device_states`."""
        self._stale = False
        self._compared_at = self._clock()
        self._compare_in = min(2 * self._compare_in, COMPARE_EVERY)
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
        self._queues.doubt()
        if not first:
            self._reader.compare()
        else:
            self.facts.why_ended, self.facts.refused = None, False
            self._reader.begin()
            self.accounts.begin()
            self._compare_in = UNHEARD_EVERY
            self._log.info("ami_link_live", devices=len(self.states))

    def _contact_status(self, endpoint: str, message: Message) -> None:
        if not self.heard:  # a phone came or went, so a state should have changed
            self._compare_in = UNHEARD_EVERY
        super()._contact_status(endpoint, message)

    def _tell_corrections(self) -> None:
        if self.states.differed and not self.heard:
            raise ActionNotPermitted(
                "states change and no DeviceStateChange is heard: the account lacks read class `call`, "
                "or its eventfilter leaves the event out"
            )
        corrected = self.states.take_corrections()
        if corrected:
            self.facts.corrections += corrected
            self._log.warning("device_states_corrected", devices=corrected)

    async def _ping(self, connection: AmiClient) -> None:
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
