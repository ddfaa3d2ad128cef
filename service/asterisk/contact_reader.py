"""Reads the contacts that no event told of, with the `monitor` account alone.

Events name a contact's URI, status and round-trip time. The rest, and what was registered before this link, is read
with `Getvar` of `PJSIP_AOR(…,contact)` and `PJSIP_CONTACT(…)`: their modules show no secret. Where they are not loaded,
contacts stay unknown; the state of the device does not depend on them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

from service.asterisk.connection import Connection
from service.errors import CallServerUnavailable
from service.live.contacts import Contact, Contacts

AT_ONCE = 10
"""Endpoints read at one time: the device states come first."""


class ContactReader:
    """Keeps one call server's contacts complete. What is not `async` never waits."""

    def __init__(self, contacts: Contacts, changed: Callable[[str], None]) -> None:
        self._changed = changed
        self._contacts = contacts
        self._wanted: frozenset[str] = frozenset()
        self._due: set[str] = set()
        self._wake = asyncio.Event()
        self._begun = asyncio.Event()

    def begin(self) -> None:
        """The first snapshot of a connection was taken: Asterisk has booted, and its functions are there."""
        self._begun.set()
        self.read_missing()

    def want(self, endpoints: frozenset[str]) -> None:
        """These are the endpoints now."""
        for gone in self._wanted - endpoints:
            self._contacts.forget(gone)
        self._wanted = endpoints
        self.read_missing()

    def read_missing(self) -> None:
        """Read every endpoint that is not known."""
        self._due |= {endpoint for endpoint in self._wanted if endpoint not in self._contacts}
        self._wake.set()

    def read(self, endpoint: str) -> None:
        """Read this endpoint's contacts: one came of which little is known."""
        if endpoint in self._wanted:
            self._due.add(endpoint)
            self._wake.set()

    async def run(self, connection: Connection) -> None:
        """Work for one connection, until it ends. Raises CallServerUnavailable then."""
        self._begun.clear()
        await self._begun.wait()
        while True:
            await self._wake.wait()
            while self._due:
                batch = [self._due.pop() for _ in range(min(AT_ONCE, len(self._due)))]
                await asyncio.gather(*(self._read(connection, endpoint) for endpoint in batch))
            self._wake.clear()

    async def _read(self, connection: Connection, endpoint: str) -> None:
        self._contacts.begin_reading(endpoint)
        contacts: list[Contact] | None = None
        try:
            contacts = await _contacts(connection, endpoint)
        except CallServerUnavailable:
            if connection.why_ended is not None:
                raise
        finally:
            self._contacts.end_reading(endpoint, contacts)
            self._changed(endpoint)


async def _contacts(connection: Connection, endpoint: str) -> list[Contact] | None:
    """An endpoint's contacts; None when they cannot be known.

    One of which nothing can be read has gone since its id was told, and an event said so of its URI, which nobody here
    can match with the id: it counts only if its id is told again.
    """
    ids = await connection.contact_ids(endpoint)
    if ids is None:
        return None
    read = {id_: await _contact(connection, id_) for id_ in ids}
    if any(contact.uri == id_ for id_, contact in read.items()):
        still = await connection.contact_ids(endpoint) or []
        read = {id_: contact for id_, contact in read.items() if contact.uri != id_ or id_ in still}
    return list(read.values())


async def _contact(connection: Connection, id_: str) -> Contact:
    async def ask(what: str) -> str | None:
        return await connection.variable(f"PJSIP_CONTACT({id_},{what})") or None

    names = ("uri", "status", "rtt", "via_addr", "via_port", "user_agent", "expiration_time")
    uri, status, took, host, port, user_agent, expires = [await ask(name) for name in names]
    reachable = {"Reachable": True, "Unreachable": False}.get(status or "")
    return Contact(
        uri=uri or id_,
        reachable=reachable,
        round_trip_us=int(took) if reachable and took and took.isdecimal() else None,
        address=f"{host}:{port}" if host and port else None,
        user_agent=user_agent,
        expires_at=datetime.fromtimestamp(int(expires), UTC) if expires and expires.isdecimal() else None,
    )
