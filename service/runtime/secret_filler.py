"""Makes SIP passwords for phones that have none.

A password ends without another where a session that lacks the key, such as psql, sets off a trigger. The directory
hears of it, and one of all processes makes a new one. Every driver error means "try again"; only a bug ends `run`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator

import structlog

from service.backoff import delays
from service.db.errors import is_driver_error
from service.db.phone_secrets import fill_missing
from service.db.pool import Database
from service.domain.credential_owners import CredentialOwners
from service.domain.directory import Directory
from service.errors import ServiceError

log = structlog.get_logger(__name__)

NOT_MADE = "no key of this process encrypts them, or other sessions hold their extensions"


def retry_delays() -> Iterator[float]:
    """Yield the seconds before each further attempt."""
    return delays(initial=1.0, maximum=60.0)


class SecretFiller:
    """`directory_changed` wakes it. It asks PostgreSQL only while the directory has a phone without a password."""

    def __init__(
        self,
        database: Database,
        directory: Directory,
        owners: CredentialOwners,
        delays: Callable[[], Iterator[float]] = retry_delays,
    ) -> None:
        self._database = database
        self._directory = directory
        self._owners = owners
        self._delays = delays
        self._heard = asyncio.Event()
        self._failed = False

    def directory_changed(self, _: object) -> None:
        """Look for phones without a password soon."""
        if self._is_needed():
            self._heard.set()

    async def run(self) -> None:
        """Make passwords until cancelled."""
        while True:
            await self._heard.wait()
            self._heard.clear()
            retries = self._delays()
            first = True
            while self._is_needed():
                if await self._fill(first):
                    retries, first = self._delays(), True
                    continue  # there may be more
                await asyncio.sleep(next(retries))  # also until the directory has read what was made
                first = False
            self._failed = False

    async def _fill(self, first: bool) -> int:
        """Return how many passwords this process made. On the first attempt none is no failure: another made them."""
        try:
            made = await fill_missing(self._database)
        except Exception as error:
            if not isinstance(error, ServiceError) and not is_driver_error(error):
                raise
            self._report_failure(str(error) or type(error).__name__)
            return 0
        if made:
            self._failed = False
            log.info("sip_passwords_made", phones=made)
        elif not first:
            self._report_failure(NOT_MADE)
        return made

    def _report_failure(self, error: str) -> None:
        """Log the first failure of a series at warning, repeats at debug."""
        log.log(logging.DEBUG if self._failed else logging.WARNING, "sip_passwords_not_made", error=error)
        self._failed = True

    def _is_needed(self) -> bool:
        imported = self._owners.imported
        return any(name not in imported for name in self._directory.secret_counts.without)
