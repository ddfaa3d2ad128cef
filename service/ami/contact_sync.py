"""Reads the contacts that no event told of, with the `monitor` account alone.

Events name a contact's URI, status and round-trip time. The rest, and what was registered before this link, is asked
for: of few endpoints one by one, with `Getvar` of `PJSIP_AOR(…,contact)` and `PJSIP_CONTACT(…)`; of many, as after
each start of a link, with one list of all contacts (`contact_list`), and then only whether those phones answer. So what
Asterisk is asked grows with the phones that are registered, not with the extensions that have none.

Who is not in the list has no contact, if the list is what Asterisk goes by. That is proven by one contact of it that
Asterisk knows, too. A list that names nobody proves nothing: then endpoints are read one by one all the same, slowly,
and the list is tried again now and then. Where the functions are not loaded, contacts stay unknown; the state of the
device does not depend on them.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterable, Set
from datetime import UTC, datetime, timedelta
from itertools import islice

from service.ami.client import AmiClient
from service.ami.contact_list import Kept
from service.ami.contact_queries import contact_field, read_contacts, with_status
from service.domain.contacts import Contact, Contacts
from service.domain.device_states import DeviceStates
from service.domain.models import DeviceState, device_of
from service.errors import CallServerUnavailable

CONCURRENCY = 10
"""Endpoints read at one time: the device states come first."""
FEW = 100
"""So many endpoints are rather read one by one: the list is as long as there are phones."""
LIST_EVERY = 10.0
"""Seconds from one list to the next, at least."""
PER_SECOND = 100
"""Of many endpoints, while the list proves nothing: that takes Asterisk and PostgreSQL a tenth of a core."""
COMPARED = 2000
"""Endpoints that one comparison has read again, at most: where contacts are kept elsewhere, it finds all to differ."""
PROOFS = 3
"""So many contacts of the list are asked for at most, until Asterisk knows one."""
SLICE = 200
"""Endpoints handled in one turn of the loop."""
EXPIRES_SOON = timedelta(seconds=5)
"""Whose registration has ended, or is about to by our clock, is asked for by itself."""
_WITHOUT_PHONE = (None, DeviceState.UNAVAILABLE, DeviceState.INVALID, DeviceState.UNKNOWN)


class ContactSync:
    """Keeps one call server's contacts complete. What is not `async` never waits.

    `read` is called with each endpoint once it has been read, whether anything could be known or not.
    """

    def __init__(self, contacts: Contacts, states: DeviceStates, read: Callable[[str], None]) -> None:
        self._done = read
        self._contacts = contacts
        self._states = states
        self._wanted: set[str] = set()
        self._missing: set[str] = set()
        self._unknown: set[str] = set()  # were read, to no avail
        self._told: set[str] = set()  # a contact of theirs came of which little is known
        self._list_after = 0.0
        self._comparing = False
        self._wake = asyncio.Event()
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """The first snapshot of a connection was taken: Asterisk has booted, and its functions are there."""
        self._missing = set(self._wanted)
        self._unknown.clear()
        self._begun.set()
        self._wake.set()

    def follow(self, wanted: Set[str], unwanted: Set[str]) -> None:
        """These are endpoints from now on, and these are none. What could not be known is tried again."""
        for gone in self._wanted & unwanted:
            self._contacts.forget(gone)
        self._missing |= (wanted - self._wanted) | self._unknown
        self._missing -= unwanted
        self._unknown.clear()
        self._wanted |= wanted
        self._wanted -= unwanted
        self._wake.set()

    def read(self, endpoint: str) -> None:
        """Read this endpoint's contacts: one came of which little is known."""
        if endpoint in self._wanted:
            self._told.add(endpoint)
            self._wake.set()

    def reread(self, endpoint: str) -> None:
        """Read this endpoint's contacts when there is time: they may have changed without a word."""
        if endpoint in self._wanted:
            self._missing.add(endpoint)
            self._wake.set()

    def compare(self) -> None:
        """Find out whether all that is known of contacts is what Asterisk's registrar keeps."""
        self._comparing = True
        self._wake.set()

    async def run(self, connection: AmiClient) -> None:
        """Work for one connection, until it ends. Raises CallServerUnavailable then."""
        self._begun.clear()
        self._told.clear()
        self._list_after = 0.0
        self._comparing = False
        await self._begun.wait()
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._told or self._missing or self._comparing:
                if self._told or self._missing:
                    await self._read_some(connection)
                else:
                    self._comparing = False
                    await self._compare(connection)

    async def _read_some(self, connection: AmiClient) -> None:
        now = asyncio.get_running_loop().time()
        if self._told or len(self._missing) <= FEW:
            await self._read_each(connection, _taken(self._told or self._missing, CONCURRENCY))
        elif now >= self._list_after:
            self._list_after = now + LIST_EVERY
            await self._read_list(connection)
        else:
            await self._read_each(connection, _taken(self._missing, 1))
            await asyncio.sleep(1 / PER_SECOND)

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
            self._end(endpoint, contacts)

    def _end(self, endpoint: str, contacts: Iterable[Contact] | None) -> None:
        wanted = endpoint in self._wanted
        self._contacts.end_reading(endpoint, contacts if wanted else None)
        if wanted and contacts is None:
            self._unknown.add(endpoint)
        self._done(endpoint)

    async def _compare(self, connection: AmiClient) -> None:
        try:
            listed = await connection.contacts()
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
            return
        differ = []
        async for endpoint in _in_slices(list(self._wanted)):
            known = self._contacts.told(endpoint)
            if known is not None and {each.uri for each in known} != _uris(listed.get(endpoint, {})):
                differ.append(endpoint)
        self._missing.update(self._wanted.intersection(random.sample(differ, min(len(differ), COMPARED))))

    # --- from the list -----------------------------------------------------------------------------------------

    async def _read_list(self, connection: AmiClient) -> None:
        asked, self._missing = self._missing, set()
        async for endpoint in _in_slices(asked):
            self._contacts.begin_reading(endpoint)  # what events tell from now on counts more than the list
        listed, proven = await self._listed(connection)
        present, absent = asked & listed.keys(), asked - listed.keys()
        if proven:
            await self._without_contact(absent)
        else:
            async for endpoint in _in_slices(absent):
                self._contacts.end_reading(endpoint, None)
            self._missing |= absent & self._wanted
        while present:
            some = _taken(present, CONCURRENCY)
            await asyncio.gather(*(self._read_kept(connection, endpoint, listed[endpoint]) for endpoint in some))

    async def _listed(self, connection: AmiClient) -> tuple[dict[str, Kept], bool]:
        """The list, and whether Asterisk goes by it."""
        listed: dict[str, Kept] = {}
        try:
            listed = await connection.contacts()
            lasting = (id_ for kept in listed.values() for id_, contact in kept.items() if _lasts(contact))
            for id_ in islice(lasting, PROOFS):
                if await contact_field(connection, id_, "uri"):
                    return listed, True
        except CallServerUnavailable:  # a version that has no such list, for instance
            if connection.why_ended is not None:
                raise
        return listed, False

    async def _read_kept(self, connection: AmiClient, endpoint: str, kept: Kept) -> None:
        """What the list does not tell of an endpoint in it."""
        contacts: list[Contact] = []
        try:
            for id_, contact in kept.items():
                if contact is None or not _lasts(contact):
                    break
                status = await contact_field(connection, id_, "status")
                if not status:
                    break  # it has just gone, or Asterisk keeps its contacts elsewhere
                took = await contact_field(connection, id_, "rtt") if status == "Reachable" else ""
                contacts.append(with_status(contact, status, took))
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
        if len(contacts) < len(kept):
            self._contacts.end_reading(endpoint, None)
            self.read(endpoint)
        else:
            self._end(endpoint, contacts)

    async def _without_contact(self, endpoints: Iterable[str]) -> None:
        async for endpoint in _in_slices(endpoints):
            if self._states.get(device_of(endpoint)) in _WITHOUT_PHONE:
                self._end(endpoint, ())
            else:  # a contact that nobody registered: it is in Asterisk's configuration
                self._contacts.end_reading(endpoint, None)
                self.read(endpoint)


def _uris(kept: Kept) -> set[str | None]:
    return {contact.uri if contact is not None else None for contact in kept.values()}


def _lasts(contact: Contact | None) -> bool:
    soon = datetime.now(UTC) + EXPIRES_SOON
    return contact is not None and contact.expires_at is not None and contact.expires_at > soon


def _taken(endpoints: set[str], many: int) -> list[str]:
    return [endpoints.pop() for _ in range(min(many, len(endpoints)))]


async def _in_slices(endpoints: Iterable[str]) -> AsyncIterator[str]:
    """One after the other, and now and then a turn for everybody else."""
    for number, endpoint in enumerate(endpoints, 1):
        yield endpoint
        if not number % SLICE:
            await asyncio.sleep(0)
