"""Ends the set-up link of a phone at its first registration.

Every driver error means "try again"; only a bug ends `run`. A link whose end PostgreSQL does not take expires.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from time import time

import structlog

from service.backoff import delays
from service.db import phone_setups
from service.db.errors import is_driver_error
from service.db.pool import Database
from service.domain.call_server import CallServer
from service.domain.first_registrations import FetchedLink, FirstRegistrations
from service.errors import ServiceError

log = structlog.get_logger(__name__)

READ_INTERVAL = 10.0
"""Seconds between two reads of contacts that may be renewed without an event."""


class LinkEnder:
    """Follows the contacts of the links. One per process; several may end the same link."""

    def __init__(
        self,
        database: Database,
        links: Mapping[str, CallServer],
        delays: Callable[[], Iterator[float]] = delays,
        read_interval: float = READ_INTERVAL,
    ) -> None:
        self.first_registrations = FirstRegistrations(time)
        self.first_registrations.registered = self._queue
        self._database = database
        self._links = links
        self._delays = delays
        self._read_interval = read_interval
        self._due: dict[bytes, FetchedLink] = {}
        """By hash. Bounded, as `FirstRegistrations` is: an expired link is dropped."""
        self._wake = asyncio.Event()
        self._failed = False
        for name, link in links.items():
            link.contacts_changed = partial(self._take_contacts, name, link)

    async def run(self) -> None:
        """End links until cancelled."""
        retries = self._delays()
        while True:
            wait = self._read_interval if not self._due else next(retries)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            self._wake.clear()
            for call_server, endpoint in self.first_registrations.to_read_again():
                self._links[call_server].read_contacts_later(endpoint)
            if await self._end_due():
                retries = self._delays()

    def _take_contacts(self, call_server: str, link: CallServer, endpoint: str, read: bool) -> None:
        self.first_registrations.update(call_server, endpoint, link.contacts.reported(endpoint), read=read)

    def _queue(self, fetched: FetchedLink) -> None:
        self._due[fetched.link_hash] = fetched
        self._wake.set()

    async def _end_due(self) -> bool:
        """End the links that are due. Returns whether PostgreSQL took all."""
        for fetched in list(self._due.values()):
            try:
                ended = await phone_setups.end_link(self._database, fetched.phone_id, fetched.link_hash)
            except Exception as error:
                if not isinstance(error, ServiceError) and not is_driver_error(error):
                    raise
                self._report_failure(str(error) or type(error).__name__)
                self._due = {key: due for key, due in self._due.items() if due.expires_at > time()}
                return False
            self._due.pop(fetched.link_hash, None)
            self._failed = False
            if ended:
                log.info("setup_link_ended", phone=fetched.phone_id, endpoint=fetched.endpoint)
        return True

    def _report_failure(self, error: str) -> None:
        """Log the first failure of a series at warning, repeats at debug."""
        level = logging.DEBUG if self._failed else logging.WARNING
        log.log(level, "setup_link_not_ended", links=len(self._due), error=error)
        self._failed = True
