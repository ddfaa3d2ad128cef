"""All contacts in one list, from the registrar's own database.

`DBGetTree` needs write class `reporting`, causes no query in PostgreSQL, and exposes no secret. Asterisk stores
contacts there unless `sorcery.conf` says otherwise, so a list by itself proves nothing (`contact_queries`). It holds
everything but whether the phone answers, and it contains expired contacts until Asterisk cleans up.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from panoramisk.message import Message

from service.ami.actions import NUMBER, ListAction, header_text
from service.domain.contacts import Contact

FAMILY = "registrar/contact"
ContactsById = dict[str, Contact | None]
"""An AOR's contacts by id; None for one that cannot be parsed."""


class ContactList(ListAction):
    """The list action: collects contacts in `by_aor`."""

    def __init__(self) -> None:
        super().__init__({"Action": "DBGetTree", "Family": FAMILY})
        self.by_aor: dict[str, ContactsById] = {}

    def add_item(self, message: Message) -> None:
        if message.event == "DBGetTreeResponse":
            id_ = header_text(message, "Key").removeprefix(f"/{FAMILY}/")
            aor = id_.partition(";")[0]
            self.by_aor.setdefault(aor, {})[id_] = parse_stored_contact(header_text(message, "Val"))


def parse_stored_contact(value: str) -> Contact | None:
    """A contact in the registrar's JSON; None if invalid."""
    try:
        parsed = json.loads(value)
    except ValueError:
        return None
    fields = parsed if isinstance(parsed, dict) else {}
    uri, agent, expires = (str(fields.get(name, "")) for name in ("uri", "user_agent", "expiration_time"))
    expires_at = parse_timestamp(expires)
    if not uri or expires_at is None:
        return None
    return Contact(
        uri,
        address=parse_address(str(fields.get("via_addr", "")), str(fields.get("via_port", ""))),
        user_agent=agent or None,
        expires_at=expires_at,
    )


def parse_address(host: str, port: str) -> str | None:
    """The source of a REGISTER, `host:port`."""
    return f"{host}:{port}" if host and port else None


def parse_timestamp(seconds: str) -> datetime | None:
    """Seconds since the epoch; None if invalid."""
    try:
        return datetime.fromtimestamp(int(seconds), UTC) if NUMBER.fullmatch(seconds) else None
    except ValueError:  # after the year 9999
        return None
