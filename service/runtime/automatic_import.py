"""Imports the extensions of one call server whenever its link comes up and its Asterisk reloads.

It adds, changes and marks, and never removes. Of all processes that hear of the same reload one imports: the others
find its result in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

import structlog

from service.ami.accounts import Account
from service.ami.client import AmiLoginRefused
from service.ami.endpoint_list import read_pbx
from service.backoff import delays
from service.clock import uptime
from service.db.errors import is_driver_error
from service.db.import_audit import log_import
from service.db.imports import ImportTransaction, Options, PlannedImport, import_transaction, run
from service.db.pool import Database
from service.domain.audit import Origin
from service.domain.call_server import CallServer
from service.domain.imports.endpoints import read_source
from service.domain.imports.status import ImportResult, ImportStatus
from service.errors import ServiceError
from service.settings import Settings

log = structlog.get_logger(__name__)

SETTLE = 2.0
"""Seconds without a further reload before an import: a burst of reloads is one."""
MAX_SETTLE = 15.0
LOCK_INTERVAL = 1.0
"""Seconds between two attempts to get the lock that another process holds while it imports."""
REFUSED_DELAY = 60.0
"""Minimum delay of a retry after a refused login, in seconds. Only an operator can fix it, and an Asterisk that counts
refused logins by address would lock out the link too."""
OPTIONS = Options()
ORIGIN = Origin.of_service("automatic import")


def retry_delays() -> Iterator[float]:
    """Yield the seconds before each retry of a failed import."""
    return delays(initial=5.0, maximum=300.0)


class AutomaticImport:
    """One call server's automatic imports. `run` never returns."""

    def __init__(
        self,
        name: str,
        database: Database,
        monitor: Account,
        reader: Account,
        hint_context: str | None,
        *,
        settle: float = SETTLE,
        delays: Callable[[], Iterator[float]] = retry_delays,
        refused_delay: float = REFUSED_DELAY,
    ) -> None:
        self.status = ImportStatus()
        self._name = name
        self._database = database
        self._monitor = monitor
        self._reader = reader
        self._hint_context = hint_context
        self._settle = settle
        self._delays = delays
        self._refused_delay = refused_delay
        self._heard = asyncio.Event()
        self._heard_at = 0.0
        self._min_delay = 0.0  # before the next retry, in seconds
        self._log = log.bind(call_server=name)

    def request(self) -> None:
        """Import soon. The link calls this when it comes up and when Asterisk reloads."""
        self._heard_at = uptime()
        self._heard.set()

    async def run(self) -> None:
        """Import until cancelled."""
        retries: Iterator[float] | None = None
        while True:
            await self._wait(max(next(retries), self._min_delay) if retries is not None else None)
            heard_at = self._heard_at
            self._heard.clear()
            try:
                result = await self._import(heard_at)
            except Exception as error:
                if not isinstance(error, ServiceError) and not is_driver_error(error):
                    raise
                self._report_failure(error)
                self._min_delay = self._refused_delay if isinstance(error, AmiLoginRefused) else 0.0
                retries = retries or self._delays()
            else:
                self.status.results[result] += 1
                self._report_success()
                retries = None

    async def _wait(self, delay: float | None) -> None:
        """Wait for a request that no further one follows; after a failure `delay` seconds at most."""
        try:
            async with asyncio.timeout(delay):
                await self._heard.wait()
        except TimeoutError:
            return
        end = uptime() + MAX_SETTLE
        while (left := min(self._settle, end - uptime())) > 0:
            self._heard.clear()
            try:
                async with asyncio.timeout(left):
                    await self._heard.wait()
            except TimeoutError:
                return

    async def _import(self, heard_at: float) -> ImportResult:
        """Import, unless another process has done so since `heard_at`. Raises ServiceError."""
        while True:
            async with import_transaction(self._database, self._name, wait=False) as transaction:
                if transaction is not None:
                    return await self._import_in(transaction, heard_at)
            await asyncio.sleep(LOCK_INTERVAL)

    async def _import_in(self, transaction: ImportTransaction, heard_at: float) -> ImportResult:
        done_at = await transaction.finished_within(uptime() - heard_at)
        if done_at is not None:
            self.status.last_success = done_at.timestamp()
            return ImportResult.SKIPPED
        endpoints, hints = await read_pbx(self._monitor, self._reader)
        source = await asyncio.to_thread(read_source, endpoints, hints, self._hint_context)
        planned = await run(transaction, source, OPTIONS, origin=ORIGIN)
        self._note(planned, transaction.began_at)
        return ImportResult.UNCHANGED if planned.plan.is_empty else ImportResult.APPLIED

    def _note(self, planned: PlannedImport, began_at: datetime) -> None:
        self.status.last_success = began_at.timestamp()
        self.status.missing = planned.missing
        self.status.skipped = len(planned.plan.skipped)
        if not planned.plan.is_empty:
            log_import(self._name, "automatic", planned, OPTIONS)

    def _report_failure(self, error: Exception) -> None:
        """Log the first failure of a series at warning, repeats at debug."""
        level = logging.WARNING if self.status.why_failed is None else logging.DEBUG
        self.status.results[ImportResult.FAILED] += 1
        self.status.why_failed = str(error) or type(error).__name__
        self._log.log(level, "automatic_import_failed", error=self.status.why_failed)

    def _report_success(self) -> None:
        if self.status.why_failed is not None:
            self._log.info("automatic_import_resumed")
        self.status.why_failed = None


def automatic_imports(
    settings: Settings, database: Database, links: Mapping[str, CallServer]
) -> dict[str, AutomaticImport]:
    """Create the imports of call servers whose account `credentials` is configured; their links request them."""
    imports = {}
    for name, server in settings.call_servers.items():
        if (reader := Account.credentials(server)) is not None:
            imports[name] = AutomaticImport(name, database, Account.monitor(server), reader, server.hint_context)
            links[name].configuration_changed = imports[name].request
    return imports
