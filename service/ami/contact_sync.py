"""Reads the contacts that no event reported, with the `monitor` account alone.

A `ContactStatus` event holds a contact's URI, status and round-trip time. The other fields, and contacts that were
registered before this link connected, must be read. A few endpoints are read one by one, with `Getvar` of
`PJSIP_AOR(…,contact)` and `PJSIP_CONTACT(…)`. Many endpoints, as after each start of a link, are read from one list of
all contacts (`contact_tree`); only the status of the listed contacts is then read one by one. The load on Asterisk
therefore grows with the number of registered phones, not of extensions.

An endpoint that the list omits has no contact, if Asterisk uses the list. One listed contact that Asterisk knows proves
that it does. An empty list proves nothing: endpoints are then read one by one, slowly, and the list is retried at
intervals. If the functions are not loaded, contacts stay unknown; device states do not depend on them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Set

from service.ami.client import AmiClient
from service.ami.contact_queries import list_contacts, read_contacts, read_listed_contacts
from service.ami.contact_tree import ContactsById
from service.domain.contacts import Contact, Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import DeviceState, device_of
from service.errors import CallServerUnavailable
from service.slices import in_slices

MAX_CONCURRENT_READS = 10
"""Endpoints read at one time: device states take precedence."""
MAX_SINGLE_READS = 100
"""Up to this many endpoints are read one by one: the list is as long as there are phones."""
LIST_INTERVAL = 10.0
"""Minimum seconds between two lists."""
READS_PER_SECOND = 100
"""Rate of single reads while the list proves nothing: that takes Asterisk and PostgreSQL a tenth of a core."""
MAX_REREADS = 2000
"""Maximum endpoints that one comparison reads again: if contacts are stored elsewhere, all of them differ."""
SLICE = 200
"""Endpoints handled per turn of the event loop."""
_STATES_WITHOUT_PHONE = (None, DeviceState.UNAVAILABLE, DeviceState.INVALID, DeviceState.UNKNOWN)


class ContactSync:
    """Keeps one call server's contacts complete. Methods that are not `async` never block.

    `on_read` is called with each endpoint after it was read, also if the contacts stay unknown.
    """

    def __init__(self, contacts: Contacts, states: DeviceStates, on_read: Callable[[str], None]) -> None:
        self._on_read = on_read
        self._contacts = contacts
        self._states = states
        self._wanted: set[str] = set()
        self._urgent: set[str] = set()  # to read first: an event reported a new contact
        self._missing: set[str] = set()  # to read
        self._unknown: set[str] = set()  # were read without a result
        self._next_list_at = 0.0
        self._comparison_due = False
        self._wake = asyncio.Event()
        self._ready = asyncio.Event()

    def on_first_snapshot(self) -> None:
        """Start reading: after a connection's first snapshot Asterisk has booted and its functions are loaded."""
        self._missing = set(self._wanted)
        self._unknown.clear()
        self._ready.set()
        self._wake.set()

    def follow(self, wanted: Set[str], unwanted: Set[str]) -> None:
        """Follow the `wanted` endpoints from now on, and no longer the `unwanted`. Unknown ones are retried."""
        for removed in self._wanted & unwanted:
            self._contacts.forget(removed)
        self._missing |= (wanted - self._wanted) | self._unknown
        self._missing -= unwanted
        self._unknown.clear()
        self._wanted |= wanted
        self._wanted -= unwanted
        self._wake.set()

    def read_soon(self, endpoint: str) -> None:
        """Read this endpoint's contacts first: an event reported a new one without its details."""
        if endpoint in self._wanted:
            self._urgent.add(endpoint)
            self._wake.set()

    def reread_later(self, endpoint: str) -> None:
        """Queue a re-read of this endpoint's contacts: they may have changed without an event."""
        if endpoint in self._wanted:
            self._missing.add(endpoint)
            self._wake.set()

    def request_comparison(self) -> None:
        """Compare all known contacts with the registrar's list."""
        self._comparison_due = True
        self._wake.set()

    async def run(self, connection: AmiClient) -> None:
        """Read over one connection until it ends. Raises CallServerUnavailable then."""
        self._ready.clear()
        self._urgent.clear()
        self._next_list_at = 0.0
        self._comparison_due = False
        await self._ready.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._urgent or self._missing or self._comparison_due:
                if self._urgent or self._missing:
                    await self._read_some(connection)
                else:
                    self._comparison_due = False
                    await self._compare(connection)

    async def _read_some(self, connection: AmiClient) -> None:
        now = asyncio.get_running_loop().time()
        if self._urgent or len(self._missing) <= MAX_SINGLE_READS:
            await self._read_each(connection, _pop_up_to(MAX_CONCURRENT_READS, self._urgent or self._missing))
        elif now >= self._next_list_at:
            self._next_list_at = now + LIST_INTERVAL
            await self._read_list(connection)
        else:
            await self._read_each(connection, _pop_up_to(1, self._missing))
            await asyncio.sleep(1 / READS_PER_SECOND)

    # --- one by one --------------------------------------------------------------------------------------------

    async def _read_each(self, connection: AmiClient, endpoints: Iterable[str]) -> None:
        await asyncio.gather(*(self._read(connection, endpoint) for endpoint in endpoints))

    async def _read(self, connection: AmiClient, endpoint: str) -> None:
        self._contacts.begin_reading(endpoint)
        contacts: list[Contact] | None = None
        try:
            contacts = await read_contacts(connection, endpoint)
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
        finally:
            self._finish(endpoint, contacts)

    def _finish(self, endpoint: str, contacts: Iterable[Contact] | None) -> None:
        wanted = endpoint in self._wanted
        self._contacts.end_reading(endpoint, contacts if wanted else None)
        if wanted and contacts is None:
            self._unknown.add(endpoint)
        self._on_read(endpoint)

    async def _compare(self, connection: AmiClient) -> None:
        try:
            listed = await connection.contacts()
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
            return
        differing = []
        async for endpoints in in_slices(list(self._wanted), SLICE):
            for endpoint in endpoints:
                known = self._contacts.reported(endpoint)
                if known is not None and {contact.uri for contact in known} != _uris(listed.get(endpoint, {})):
                    differing.append(endpoint)
        chosen = random.sample(differing, min(len(differing), MAX_REREADS))
        self._missing.update(self._wanted.intersection(chosen))

    # --- from the list -----------------------------------------------------------------------------------------

    async def _read_list(self, connection: AmiClient) -> None:
        requested, self._missing = self._missing, set()
        async for endpoints in in_slices(requested, SLICE):
            for endpoint in endpoints:
                self._contacts.begin_reading(endpoint)  # events from here on take precedence over the list
        listed, proven = await list_contacts(connection)
        present, absent = requested.intersection(listed), requested.difference(listed)
        if proven:
            await self._finish_without_contact(absent)
        else:
            async for endpoints in in_slices(absent, SLICE):
                for endpoint in endpoints:
                    self._contacts.end_reading(endpoint, None)
            self._missing |= absent & self._wanted
        while present:
            batch = _pop_up_to(MAX_CONCURRENT_READS, present)
            await asyncio.gather(*(self._read_listed(connection, endpoint, listed[endpoint]) for endpoint in batch))

    async def _read_listed(self, connection: AmiClient, endpoint: str, listed: ContactsById) -> None:
        contacts = await read_listed_contacts(connection, listed)
        if contacts is None:
            self._defer(endpoint)
        else:
            self._finish(endpoint, contacts)

    async def _finish_without_contact(self, absent: Iterable[str]) -> None:
        async for endpoints in in_slices(absent, SLICE):
            for endpoint in endpoints:
                if self._states.get(device_of(endpoint)) in _STATES_WITHOUT_PHONE:
                    self._finish(endpoint, ())
                else:  # it has a contact that did not register: one from Asterisk's configuration
                    self._defer(endpoint)

    def _defer(self, endpoint: str) -> None:
        """Drop what the list said of an endpoint, and read it by itself."""
        self._contacts.end_reading(endpoint, None)
        self.read_soon(endpoint)


def _uris(contacts: ContactsById) -> set[str | None]:
    return {contact.uri if contact is not None else None for contact in contacts.values()}


def _pop_up_to(count: int, endpoints: set[str]) -> list[str]:
    return [endpoints.pop() for _ in range(min(count, len(endpoints)))]
