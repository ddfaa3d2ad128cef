"""All contacts in one list: what Asterisk's registrar keeps in its own database.

`DBGetTree` needs write class `reporting`, asks PostgreSQL nothing, and shows no secret of what is kept there. Asterisk
keeps contacts there unless `sorcery.conf` says otherwise, so a list proves nothing by itself (`contact_reader`). It
tells all but whether the phone answers; and a contact that has expired is in it until Asterisk tidies up.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from panoramisk.message import Message

from service.ami.protocol import NUMBER, Request, text
from service.domain.contacts import Contact

FAMILY = "registrar/contact"
Kept = dict[str, Contact | None]
"""An AOR's contacts by id; None for one that cannot be read."""


class ContactList(Request):
    """The list action; it gathers `kept`, which is contacts by AOR, and answers with its last event."""

    def __init__(self) -> None:
        super().__init__({"Action": "DBGetTree", "Family": FAMILY})
        self.__dict__["kept"] = {}

    def add_message(self, message: Message) -> bool:
        if message.event == "DBGetTreeResponse":
            kept: dict[str, Kept] = self.__dict__["kept"]
            id_ = text(message, "Key").removeprefix(f"/{FAMILY}/")
            kept.setdefault(id_.partition(";")[0], {})[id_] = parse_kept(text(message, "Val"))
        refused = message.response == "Error"
        if not refused and message.eventlist != "Complete":
            return False
        return super().add_message(message)


def parse_kept(value: str) -> Contact | None:
    """A contact as the registrar keeps it; None for what is none."""
    try:
        found = json.loads(value)
    except ValueError:
        return None
    fields = found if isinstance(found, dict) else {}
    uri, agent, expires = (str(fields.get(name, "")) for name in ("uri", "user_agent", "expiration_time"))
    expires_at = moment(expires)
    if not uri or expires_at is None:
        return None
    return Contact(
        uri,
        address=address(str(fields.get("via_addr", "")), str(fields.get("via_port", ""))),
        user_agent=agent or None,
        expires_at=expires_at,
    )


def address(host: str, port: str) -> str | None:
    """Where a REGISTER came from."""
    return f"{host}:{port}" if host and port else None


def moment(seconds: str) -> datetime | None:
    """A time that is told as seconds since the epoch; None for what is none."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if NUMBER.fullmatch(seconds) else None
    except ValueError:  # after the year 9999
        return None
