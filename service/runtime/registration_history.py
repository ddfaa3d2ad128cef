"""Writes the registration history: recorded from the presence feed, stored every few seconds, by one process of all."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from uuid import uuid4

import structlog

from service.clock import uptime
from service.db import registration_history
from service.db.errors import raises_unavailable
from service.db.pool import Database
from service.db.registration_history import PAGE
from service.domain.call_server import CallServer
from service.domain.flapping import Flapping
from service.domain.presence.item import Item
from service.domain.registration_history import RegistrationRecorder
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

WRITE_INTERVAL = 5.0
"""Seconds between two writes."""
FORGET_INTERVAL = 3600.0
"""Seconds between two removals of old rows."""


class RegistrationHistory:
    """One per process. `observe` and `link_changed` never wait; `run` never returns."""

    def __init__(
        self,
        database: Database,
        links: Mapping[str, CallServer],
        *,
        interval: float = WRITE_INTERVAL,
        clock: Callable[[], float] = uptime,
    ) -> None:
        self._database = database
        self._links = links
        self._interval = interval
        self._clock = clock
        self._holder = uuid4()
        self._terms: dict[str, int] = {}
        self._away = False
        self._forget_at = clock() + FORGET_INTERVAL
        self.recorders = {name: RegistrationRecorder(clock) for name in links}
        self.flapping = Flapping(clock)

    def observe(self, old: Item | None, new: Item | None) -> None:
        """Take a change of the presence feed."""
        if old is not None and (new is None or new.call_server != old.call_server):
            self.flapping.forget(old.extension)
            if recorder := self.recorders.get(old.call_server):
                recorder.forget(old.extension)
        if new is None or (old is not None and old.registered is new.registered):
            return
        recorder = self.recorders.get(new.call_server)
        if recorder and recorder.observe(new.extension, new.registered):
            self.flapping.lost(new.call_server, new.extension)

    def link_changed(self, call_server: str, live: bool) -> None:
        """Take a link that was lost or is live again."""
        if recorder := self.recorders.get(call_server):
            recorder.link_changed(live)

    def writes(self, call_server: str) -> bool:
        """Whether this process stores the history of a call server."""
        return call_server in self._terms

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(self._interval)
            await self.write()

    async def write(self) -> bool:
        """Store what waits. False: PostgreSQL did not take it."""
        try:
            with raises_unavailable():
                for name in self.recorders:
                    await self._write(name)
                await self._forget_old()
        except DatabaseUnavailable as error:
            level = logging.DEBUG if self._away else logging.WARNING
            waiting = sum(recorder.waiting for recorder in self.recorders.values())
            log.log(level, "registration_history_write_failed", waiting=waiting, error=str(error))
            self._away = True
            return False
        if self._away:
            log.info("registration_history_write_resumed")
        self._away = False
        return True

    async def flush(self) -> None:
        """Store what waits at shutdown, and let another process write."""
        if await self.write():
            try:
                with raises_unavailable():
                    for name in list(self._terms):
                        await registration_history.release(self._database, name, self._holder)
            except DatabaseUnavailable:
                return  # the lease ends by itself

    async def _write(self, name: str) -> None:
        recorder, link = self.recorders[name], self._links[name]
        if link.states.current:
            recorder.prove(link.states.confirmed_at)
        recorder.sweep()
        lease = await registration_history.lease(self._database, name, self._holder)
        if lease.term is None:
            self._terms.pop(name, None)
            if lease.observed_age is not None:
                recorder.drop_until(self._clock() - lease.observed_age)
            return
        if self._terms.get(name) != lease.term:
            await self._take_over(name, lease.observed_age)
            self._terms[name] = lease.term
        await self._store(name)

    async def _take_over(self, name: str, observed_age: float | None) -> None:
        """Continue where the last writer ended."""
        recorder = self.recorders[name]
        if observed_age is not None:
            recorder.drop_until(self._clock() - observed_age)
        seen: dict[str, None] = {}
        while stored := await registration_history.last_values(self._database, name, next(reversed(seen), "")):
            recorder.reconcile(stored)
            seen |= dict.fromkeys(stored)
            if len(stored) < PAGE:
                break
        recorder.reconcile_others(seen.keys())

    async def _store(self, name: str) -> None:
        """Store all that waits. What was observed counts as stored only with the last changes."""
        recorder = self.recorders[name]
        while True:
            changes = recorder.next_changes(PAGE)
            observations = recorder.observations() if len(changes) < PAGE else []
            if not changes and not observations:
                return
            left_out = await registration_history.store(
                self._database, name, self._holder, changes, observations, self._clock
            )
            if left_out is None:
                self._terms.pop(name, None)
                return
            recorder.stored(changes)
            recorder.observed(observations)
            for extension in left_out:
                recorder.not_stored(extension)
            if len(changes) < PAGE:
                return

    async def _forget_old(self) -> None:
        if self._terms and self._clock() >= self._forget_at:
            await registration_history.forget_old(self._database)
            self._forget_at = self._clock() + FORGET_INTERVAL
