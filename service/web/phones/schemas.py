"""Schemas of the calls about phones, and how a stored phone is answered."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import Meta

from service.db.phones import MAX_LABEL_LENGTH, StoredPhone
from service.domain.contacts import Contact, shown_contact
from service.domain.models import DeviceState, device_of
from service.domain.timestamps import rfc3339_ms
from service.errors import NoSuchPhone
from service.web.app_keys import LINKS
from service.web.http.param_errors import RocketChat, WrongValue
from service.web.http.params import Body, Path, Query
from service.web.openapi.operation import Yes

Moment = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
"""RFC 3339, UTC."""
Kind = Literal["linphone", "gswave", "groundwire", "desk", "browser-phone", "browser"]
_PHONE_ID = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_LABEL = f"at most {MAX_LABEL_LENGTH} printable characters"


class PhonePath(msgspec.Struct, frozen=True):
    """Phone."""

    id: Annotated[str, Meta(description="Phone ID.", extra_json_schema={"pattern": f"^(?:{_PHONE_ID.pattern})$"})]

    @property
    def number(self) -> int:
        """The phone's id. Raises NoSuchPhone for what is none."""
        if not _PHONE_ID.fullmatch(self.id):
            raise NoSuchPhone("a phone's id is a whole number")
        return int(self.id)


class PhonesQuery(msgspec.Struct, frozen=True, rename="camel"):
    """Whose phones."""

    user_id: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(description="User ID. Default: the caller's. Only admins may name others."),
    ] = None


class NewPhone(msgspec.Struct, frozen=True, rename="camel"):
    """New phone, by default of the caller. Only admins may name others, by user ID or username."""

    kind: Annotated[Kind, Meta(description="Kind of phone: it decides the media profile and how the phone is set up.")]
    label: Annotated[
        str,
        Meta(
            max_length=MAX_LABEL_LENGTH,
            description="The person's own name for it. Printable characters only.",
            extra={"expected": _LABEL},
        ),
    ] = ""
    user_id: Annotated[Annotated[str, Meta(min_length=1)] | None, Meta(description="User ID.")] = None
    username: Annotated[
        Annotated[str, Meta(min_length=1)] | None, Meta(description="Username, instead of the user ID.")
    ] = None


def _printable(label: str) -> str:
    """Return a label of printable characters. Raises WrongValue."""
    if not label.isprintable():
        raise WrongValue(label)
    return label


PHONE, PHONES = Path(PhonePath), Query(PhonesQuery, RocketChat)
NEW_PHONE = Body(NewPhone, RocketChat, checks={"label": _printable})


class Phone(msgspec.Struct, frozen=True, rename="camel"):
    """Phone, stored and live, without its SIP password. Unknown values are null."""

    id: int
    kind: Annotated[str, Meta(description="`other`: an extension's own phone, or one of an import.")]
    label: str
    extension: str
    endpoint: Annotated[str, Meta(description="Name in Asterisk, and username of its SIP authentication.")]
    user_id: str | None
    created_at: Moment | None
    last_fetched_at: Annotated[
        Moment | None, Meta(description="Time when it last fetched its configuration; null: never.")
    ]
    last_fetched_from: Annotated[str | None, Meta(description="Address from which it did.")]
    registered: bool | None
    reachable: bool | None
    address: Annotated[str | None, Meta(description="Address from which it registered.")]
    user_agent: str | None
    live: Annotated[bool, Meta(description="Whether the registration is known now. If not, it is null.")]


class Setup(msgspec.Struct, frozen=True, rename="camel"):
    """Set-up link of a phone. Whoever has it gets the phone's SIP password: it is answered once and stored nowhere."""

    url: Annotated[str, Meta(description="Page for the person who sets the phone up.")]
    qr: Annotated[
        str | None,
        Meta(
            description="SVG of the QR code that the phone's app scans. Null if the app scans none, or one that would "
            "hold the SIP password: the page shows that one."
        ),
    ]
    expires_at: Moment


class PhonesAnswer(msgspec.Struct, frozen=True):
    """Phones of a person, the extension's own one first."""

    phones: list[Phone]
    success: Yes = True


class SetupAnswer(msgspec.Struct, frozen=True):
    """Phone with a new set-up link."""

    phone: Phone
    setup: Setup
    success: Yes = True


class NewPhoneAnswer(msgspec.Struct, frozen=True):
    """New phone with its set-up link."""

    phone: Phone
    setup: Annotated[
        Setup | None,
        Meta(
            description="Null for kind `browser`, which reads registration info with `phone=<id>`, and if the setting "
            "`CONNECTOR_PUBLIC_URL` is not set."
        ),
    ]
    success: Yes = True


def describe(app: web.Application, stored: StoredPhone) -> Phone:
    """A stored phone with what its call server reports of it."""
    contacts = _live_contacts(app, stored)
    contact = shown_contact(contacts or ())
    return Phone(
        id=stored.phone_id,
        kind=stored.kind,
        label=stored.label,
        extension=stored.extension,
        endpoint=stored.endpoint,
        user_id=stored.uid,
        created_at=_moment(stored.created_at),
        last_fetched_at=_moment(stored.last_fetched_at),
        last_fetched_from=stored.last_fetched_from,
        registered=None if contacts is None else bool(contacts),
        reachable=contact.reachable if contact is not None else None if contacts is None else False,
        address=contact.address if contact is not None else None,
        user_agent=contact.user_agent if contact is not None else None,
        live=contacts is not None,
    )


def _live_contacts(app: web.Application, stored: StoredPhone) -> tuple[Contact, ...] | None:
    """The registrations of a phone, None if unknown. None at all is known only of an endpoint that Asterisk has."""
    link = app[LINKS].get(stored.call_server)
    if link is None or not link.states.current:
        return None
    contacts = link.contacts_of(stored.endpoint)
    known = link.states.get(device_of(stored.endpoint)) not in (None, DeviceState.INVALID)
    return contacts if contacts or known else None


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else rfc3339_ms(moment)
