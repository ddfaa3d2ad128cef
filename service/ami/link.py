"""The supervised link to one Asterisk: connect, log in, await FullyBooted, take a snapshot, follow events, reconnect.

One task owns it. `service.ami.events` applies the events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping

import structlog
from panoramisk.message import Message

from service.ami.account_checks import AccountChecks
from service.ami.accounts import Account
from service.ami.boot_check import is_up_longer_than
from service.ami.client import ActionNotPermitted, AmiClient
from service.ami.connection import connect
from service.ami.event_waits import is_set_within
from service.ami.events import LinkEvents
from service.ami.link_failures import classify_failure, failure_to_report, is_refusal
from service.backoff import delays
from service.clock import uptime
from service.domain.device_states import Freshness
from service.domain.models import DeviceState
from service.errors import CallServerUnavailable
from service.slices import in_slices

log = structlog.get_logger(__name__)

MAX_BOOT_TIME = 120.0
"""Seconds that a boot may take. An account without read class `system` never receives FullyBooted."""
REFUSED_DELAY = 30.0
"""Minimum delay of a reconnect after a refusal, in seconds: only an operator can fix it."""
MERGE_SLICE = 2_000
"""Devices whose states are merged in one turn of the loop, which takes a millisecond or two."""
SNAPSHOT_INTERVAL = 300.0
"""Seconds between two routine snapshots."""
FIRST_SNAPSHOT_INTERVAL = 5.0
"""The same until a DeviceStateChange has arrived, since the account may lack the class; it doubles."""


class Link(LinkEvents):
    """One call server's link. `run` never returns."""

    def __init__(
        self,
        name: str,
        account: Account,
        *,
        sync: Account | None = None,
        deadline: float,
        managed: bool = True,
        hint_context: str | None = None,
        clock: Callable[[], float] = uptime,
        delays: Callable[[], Iterator[float]] = delays,
    ) -> None:
        super().__init__(name, sync=sync, deadline=deadline, clock=clock, managed=managed, hint_context=hint_context)
        self._account = account
        self._deadline = deadline
        self._clock = clock
        self._delays = delays
        self._last_snapshot = clock()
        self._snapshot_interval = SNAPSHOT_INTERVAL
        self.account_checks = AccountChecks(name, {"sync": sync})
        self._log = log.bind(call_server=name)

    @property
    def refused_accounts(self) -> Mapping[str, str]:
        return self.account_checks.refused

    # --- the loop --------------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Keep the link up until cancelled."""
        retry_delays = self._delays()
        while True:
            self.states.connecting()
            resynchronisations = self.facts.resynchronisations
            try:
                await self._session()
            except* CallServerUnavailable as failures:
                error = failure_to_report(failures)
            self.states.lost()
            if self.facts.resynchronisations > resynchronisations:
                retry_delays = self._delays()
            delay = next(retry_delays)
            refused = is_refusal(error)
            if refused:
                delay = max(delay, REFUSED_DELAY)
            self._report_failure(error, refused)
            await asyncio.sleep(delay)

    def _report_failure(self, error: CallServerUnavailable, refused: bool) -> None:
        """Log the first failure of an outage, and the first refusal, loudly; repeats at debug."""
        is_new = self.facts.why_ended is None or refused > self.facts.refused
        self.facts.failures += 1
        self.facts.why_ended, self.facts.refused = str(error), refused
        self.facts.failure, self.facts.remedy = classify_failure(error)
        level = logging.DEBUG if not is_new else logging.ERROR if refused else logging.WARNING
        self._log.log(level, "ami_link_down", error=str(error))

    async def _session(self) -> None:
        self._booted = self._snapshot_due = self.receives_changes = False
        async with connect(self._account, self) as self._connection:
            self.states.synchronising()
            try:
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(self._monitor(self._connection), name=f"watch {self.name}")
                    tasks.create_task(self.tracker.run(self._connection), name=f"track {self.name}")
                    tasks.create_task(self._contact_sync.run(self._connection), name=f"contacts {self.name}")
                    tasks.create_task(self._queue_sync.run(self._connection), name=f"queues {self.name}")
                    tasks.create_task(self._hint_sync.run(self._connection), name=f"hints {self.name}")
                    tasks.create_task(self.hint_comparison.run(self._connection), name=f"compare {self.name}")
                    tasks.create_task(
                        self._contradictions.run(self._touch_endpoint), name=f"contradictions {self.name}"
                    )
                    tasks.create_task(self.account_checks.run(), name=f"accounts {self.name}")
            finally:
                self._connection = None

    async def _monitor(self, connection: AmiClient) -> None:
        """Ping, and take a snapshot when one is due. Raises CallServerUnavailable when the connection ends."""
        boot_deadline = self._clock() + MAX_BOOT_TIME
        while True:
            self._wake.clear()
            if connection.why_ended is not None:
                raise CallServerUnavailable(connection.why_ended)
            interval = SNAPSHOT_INTERVAL if self.receives_changes else self._snapshot_interval
            if self._clock() - self._last_snapshot > interval:
                self._snapshot_due = True
            if self._booted and self._snapshot_due:
                await self._resynchronise(connection)
            else:
                await self._ping(connection)
                self._report_corrections()
            if not self._booted and (
                self._clock() > boot_deadline or await is_up_longer_than(MAX_BOOT_TIME, connection)
            ):
                raise ActionNotPermitted(
                    "Asterisk runs and FullyBooted was not heard: the account lacks read class `system`, "
                    "or its eventfilter leaves the event out"
                )
            if not self._snapshot_due or not self._booted:
                await is_set_within(self._deadline / 4, self._wake)

    async def _resynchronise(self, connection: AmiClient) -> None:
        """Take a snapshot of all states, by the rule of `service.domain.device_states`."""
        self._snapshot_due = False
        self._last_snapshot = self._clock()
        self._snapshot_interval = min(2 * self._snapshot_interval, SNAPSHOT_INTERVAL)
        first = self.states.freshness is not Freshness.LIVE
        await self._hint_sync.take_list(connection)  # first: only who knows the devices knows a state
        self.states.begin_snapshot()
        self.presences.begin_snapshot()
        snapshot = await connection.device_states()
        presences = await connection.presences()
        await self._ping(connection)
        if first:
            self.states.end_snapshot(snapshot)
        else:
            await self._merge(snapshot, connection)
            self.states.end_snapshot()
        self.presences.end_snapshot(presences)
        self.changed(None)
        self.facts.resynchronisations += 1
        self.facts.last_resynchronisation = time.time()
        self._queue_sync.request_list()
        self.hint_comparison.on_snapshot()
        if not first:
            self._contact_sync.request_comparison()
            await self.tracker.on_routine_snapshot()
        else:
            self.tracker.on_first_snapshot()
            self.facts.why_ended, self.facts.refused = None, False
            self.facts.failure = self.facts.remedy = None
            self._contact_sync.on_first_snapshot()
            self.account_checks.on_link_live()
            self._snapshot_interval = FIRST_SNAPSHOT_INTERVAL
            self._log.info("ami_link_live", devices=len(self.states))

    async def _merge(self, snapshot: Mapping[str, DeviceState], connection: AmiClient) -> None:
        """Merge a routine snapshot in slices: the link is live, and others go on meanwhile."""
        for devices in (snapshot, self.states.devices()):
            async for some in in_slices(devices, MERGE_SLICE):
                if connection.why_ended is not None:
                    raise CallServerUnavailable(connection.why_ended)
                for device in self.states.merge_snapshot(some, snapshot):
                    self._touch_device(device)

    def _on_contact_status(self, endpoint: str, message: Message) -> None:
        if not self.receives_changes:  # a phone came or went, so a state should have changed
            self._snapshot_interval = FIRST_SNAPSHOT_INTERVAL
        super()._on_contact_status(endpoint, message)

    def _report_corrections(self) -> None:
        if self.states.differed and not self.receives_changes:
            raise ActionNotPermitted(
                "states change and no DeviceStateChange is heard: the account lacks read class `call`, "
                "or its eventfilter leaves the event out"
            )
        corrected = self.states.take_corrections()
        if corrected:
            self.facts.corrections += corrected
            self._log.warning("device_states_corrected", devices=corrected)

    async def _ping(self, connection: AmiClient) -> None:
        sent_at = self._clock()
        await connection.ping(self._deadline)
        self.states.confirm(sent_at)
        self.facts.last_pong = time.time()
