"""The contacts of one endpoint, as the dialplan functions `PJSIP_AOR` and `PJSIP_CONTACT` tell them.

`Getvar` asks them with write class `reporting`; their modules show no secret.
"""

from __future__ import annotations

from dataclasses import replace

from service.ami.client import AmiClient
from service.ami.contact_list import address, moment
from service.domain.contacts import Contact


async def read_contacts(connection: AmiClient, endpoint: str) -> list[Contact] | None:
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


async def _contact(connection: AmiClient, id_: str) -> Contact:
    names = ("uri", "status", "rtt", "via_addr", "via_port", "user_agent", "expiration_time")
    uri, status, took, host, port, user_agent, expires = [await contact_field(connection, id_, name) for name in names]
    known = Contact(uri or id_, address=address(host, port), user_agent=user_agent or None, expires_at=moment(expires))
    return with_status(known, status, took)


async def contact_field(connection: AmiClient, id_: str, name: str) -> str:
    """A field of a contact; empty when Asterisk knows no such contact."""
    return await connection.variable(f"PJSIP_CONTACT({id_},{name})")


def with_status(contact: Contact, status: str, took: str) -> Contact:
    """The contact with whether it answers, and how many microseconds that took."""
    reachable = {"Reachable": True, "Unreachable": False}.get(status)
    return replace(contact, reachable=reachable, round_trip_us=int(took) if reachable and took.isdecimal() else None)
