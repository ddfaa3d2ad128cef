"""Contacts as the dialplan functions `PJSIP_AOR` and `PJSIP_CONTACT` report them.

`Getvar` evaluates them with write class `reporting`; their modules expose no secret.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TypeGuard

from service.ami.client import AmiClient
from service.ami.contact_tree import ContactsById, parse_address, parse_timestamp
from service.domain.contacts import Contact
from service.errors import CallServerUnavailable

MAX_PROOFS = 3
"""Maximum contacts of the list that are read until Asterisk knows one."""
EXPIRES_SOON = timedelta(seconds=5)
"""A registration that expires within this time, by our clock, is read by itself."""


async def read_contacts(connection: AmiClient, endpoint: str) -> list[Contact] | None:
    """An endpoint's contacts; None if they cannot be known.

    A contact without a readable field has been removed since its id was listed. The event of its removal holds the URI,
    which cannot be matched with the id. It counts only if a second list contains its id.
    """
    ids = await connection.contact_ids(endpoint)
    if ids is None:
        return None
    by_id = {id_: await _read_contact(connection, id_) for id_ in ids}
    if any(contact.uri == id_ for id_, contact in by_id.items()):
        listed_again = await connection.contact_ids(endpoint) or []
        by_id = {id_: contact for id_, contact in by_id.items() if contact.uri != id_ or id_ in listed_again}
    return list(by_id.values())


async def _read_contact(connection: AmiClient, id_: str) -> Contact:
    names = ("uri", "status", "rtt", "via_addr", "via_port", "user_agent", "expiration_time")
    uri, status, rtt, host, port, user_agent, expires = [await _read_field(connection, id_, name) for name in names]
    contact = Contact(
        uri or id_,
        address=parse_address(host, port),
        user_agent=user_agent or None,
        expires_at=parse_timestamp(expires),
    )
    return _with_status(contact, status, rtt)


async def list_contacts(connection: AmiClient) -> tuple[dict[str, ContactsById], bool]:
    """The registrar's list by AOR, and whether one of its contacts proves that Asterisk uses it."""
    listed: dict[str, ContactsById] = {}
    try:
        listed = await connection.contacts()
        lasting = (id_ for contacts in listed.values() for id_, contact in contacts.items() if _is_lasting(contact))
        for id_ in islice(lasting, MAX_PROOFS):
            if await _read_field(connection, id_, "uri"):
                return listed, True
    except CallServerUnavailable:  # for example an Asterisk version without such a list
        if connection.why_ended is not None:
            raise
    return listed, False


async def read_listed_contacts(connection: AmiClient, listed: ContactsById) -> list[Contact] | None:
    """Listed contacts with their status; None unless all of them are valid and Asterisk knows their status."""
    contacts: list[Contact] = []
    try:
        for id_, contact in listed.items():
            if not _is_lasting(contact):
                return None
            status = await _read_field(connection, id_, "status")
            if not status:
                return None  # just removed, or Asterisk stores its contacts elsewhere
            rtt = await _read_field(connection, id_, "rtt") if status == "Reachable" else ""
            contacts.append(_with_status(contact, status, rtt))
    except CallServerUnavailable:
        if connection.why_ended is not None:
            raise
        return None
    return contacts


def _is_lasting(contact: Contact | None) -> TypeGuard[Contact]:
    soon = datetime.now(UTC) + EXPIRES_SOON
    return contact is not None and contact.expires_at is not None and contact.expires_at > soon


async def _read_field(connection: AmiClient, id_: str, name: str) -> str:
    """A field of a contact; empty if Asterisk does not know the contact."""
    return await connection.variable(f"PJSIP_CONTACT({id_},{name})")


def _with_status(contact: Contact, status: str, rtt: str) -> Contact:
    """The contact with its reachability and its round-trip time, `rtt` in microseconds."""
    reachable = {"Reachable": True, "Unreachable": False}.get(status)
    return replace(contact, reachable=reachable, round_trip_us=int(rtt) if reachable and rtt.isdecimal() else None)
