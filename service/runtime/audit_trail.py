"""Writes the audit trail of disclosures and refusals: collected in memory, written about once a second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from service.clock import uptime
from service.db import audit_rows
from service.db.errors import raises_unavailable
from service.db.pool import Database
from service.domain.audit import Action
from service.domain.audit_batches import AuditBatches
from service.domain.line_limit import LineLimit
from service.errors import DatabaseUnavailable
from service.web.http.refusals import Refusals

log = structlog.get_logger(__name__)

WRITE_INTERVAL = 1.0
"""Seconds between two writes, and between two lines on what was left out."""
HOUR, MINUTE = 3_600.0, 60.0
MAX_DISCLOSURES, MAX_REFUSALS, MAX_PRESENCE_CHANGES = 50_000, 500, 10_000
"""Open batches of a process. A disclosure is one person, one device and one address; refusals are a stranger's to
multiply, so a minute has few."""
ROWS = 200
"""Rows of one statement, which are made in one turn of the event loop."""
MAX_LOGIN_LINES, MAX_TOKEN_LINES = 25, 25
"""Log lines of refusals in a second."""
LOST_INTERVAL = 60.0
"""Seconds between two lines on events without details."""


class AuditTrail:
    """The trail of one process."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], float] = uptime,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._clock = clock
        self.disclosures = AuditBatches(Action.SECRET_DISCLOSED, HOUR, MAX_DISCLOSURES, clock, now)
        self.presence_changes = AuditBatches(Action.PRESENCE_SET, 0.0, MAX_PRESENCE_CHANGES, clock, now)
        logins = AuditBatches(Action.LOGIN_REFUSED, MINUTE, MAX_REFUSALS, clock, now)
        tokens = AuditBatches(Action.TOKEN_REFUSED, MINUTE, MAX_REFUSALS, clock, now)
        self.refusals = Refusals(logins, tokens, LineLimit(MAX_LOGIN_LINES, clock), LineLimit(MAX_TOKEN_LINES, clock))
        self.batches = (self.presence_changes, self.disclosures, logins, tokens)
        self._away = False
        self._lost = 0
        self._lost_logged_at = float("-inf")

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await asyncio.sleep(WRITE_INTERVAL)
            self._log_lost()
            self.refusals.log_left_out()
            await self.write()

    async def write(self, *, all_: bool = False) -> bool:
        """Write the rows that are due; with `all_` also those of open windows. False: PostgreSQL did not take them."""
        for batches in self.batches:
            while rows := batches.rows(ROWS, all_=all_):
                try:
                    with raises_unavailable():
                        await audit_rows.append(self._database, rows)
                except DatabaseUnavailable as error:
                    level = logging.DEBUG if self._away else logging.WARNING
                    log.log(level, "audit_write_failed", waiting=self.waiting, error=str(error))
                    self._away = True
                    return False
                batches.stored(rows)
        if self._away:
            log.info("audit_write_resumed")
        self._away = False
        return True

    @property
    def waiting(self) -> int:
        """Number of events that no row counts yet."""
        return sum(batches.waiting for batches in self.batches)

    async def flush(self) -> None:
        """Write everything at shutdown, after all requests are answered. Logs what is lost."""
        if not await self.write(all_=True):
            log.error("audit_lost", events=self.waiting)

    def _log_lost(self) -> None:
        lost = sum(batches.lost for batches in self.batches)
        if lost > self._lost and self._clock() >= self._lost_logged_at + LOST_INTERVAL:
            log.error("audit_details_lost", events=lost - self._lost)
            self._lost, self._lost_logged_at = lost, self._clock()
