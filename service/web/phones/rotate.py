"""Rotates the SIP password of a phone: a person that of their own phones, an admin anybody's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import msgspec
import structlog
from aiohttp import web
from msgspec import Meta

from service.db import ownership, phone_secrets
from service.db.phone_secrets import RotatedPhone
from service.domain.models import Person
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable, NoSuchPhone, RotationUnderWay
from service.web.app_keys import CREDENTIAL_OWNERS, DATABASE, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.http.errors import BODY_ERRORS, BadArgument, Forbidden
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.json_response import json_response
from service.web.http.param_errors import RocketChat
from service.web.http.params import Body
from service.web.openapi.operation import Operation, Yes
from service.web.phones.schemas import PHONE

log = structlog.get_logger(__name__)


class Rotation(msgspec.Struct, frozen=True):
    """How the SIP password is rotated. The body may be left out."""

    overlap: Annotated[
        Annotated[float, Meta(ge=0)] | None,
        Meta(
            description="Seconds for which the present SIP password stays valid too: 0 ends it at once, as for a lost "
            "phone. Default and maximum: the setting `CONNECTOR_ROTATION_OVERLAP`.",
            extra={"expected": "a number of 0 or more"},
        ),
    ] = None


ROTATION = Body(Rotation, RocketChat)


async def rotate(request: web.Request) -> web.Response:
    """POST /api/v1/phones/{id}/rotate"""
    by = await require_caller(request)
    overlap = _limit_overlap((await ROTATION.decode(request)).overlap, request.app[SETTINGS].rotation_overlap)
    rotated = await _rotate(request, by, overlap)
    log.info("sip_password_rotated", phone=rotated.phone_id, endpoint=rotated.endpoint, by=by.user_id, overlap=overlap)
    await refresh_extensions(request, rotated.extension)
    valid_until = rfc3339_ms(rotated.former_until) if rotated.former_until is not None else None
    return json_response(RotationAnswer(PhoneName(rotated.phone_id, rotated.extension, rotated.endpoint), valid_until))


async def _rotate(request: web.Request, by: Person, overlap: float) -> RotatedPhone:
    """Rotate. To whoever is no admin, all phones but their own are the same: Forbidden."""
    try:
        return await phone_secrets.rotate_phone(
            request.app[DATABASE],
            PHONE.decode(request).number,
            origin=origin_of(request, by),
            overlap=overlap,
            holder=None if by.is_admin else by.user_id,
            imported=request.app[CREDENTIAL_OWNERS].imported,
        )
    except NoSuchPhone:
        if by.is_admin:
            raise
        raise Forbidden from None


def _limit_overlap(given: float | None, most: float) -> float:
    """Return the overlap in seconds. Raises BadArgument."""
    if given is None:
        return most
    if given > most:
        raise BadArgument(f"Expected a number from 0 to {most:g} in field overlap")
    return given


class PhoneName(msgspec.Struct, frozen=True):
    """Phone: its ID, its extension, and its endpoint in Asterisk."""

    id: int
    extension: str
    endpoint: str


class RotationAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """Rotated phone. The new SIP password is in its registration info."""

    phone: PhoneName
    former_valid_until: Annotated[
        str | None, Meta(description="Time until which the previous SIP password is valid too; null: it has ended.")
    ]
    success: Yes = True


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/phones/{id}/rotate",
        handler=rotate,
        summary="Rotate the SIP password of a phone",
        details="Users may rotate those of their own phones, admins any. The phone gets a random SIP password, which "
        "its registration info answers from now on; its streams get an event `credentials`. By default the previous "
        "one stays valid for `CONNECTOR_ROTATION_OVERLAP` seconds, so that no registration is missed. While it is, a "
        "further rotation is a 409, unless its `overlap` is 0. 409 also on an imported call server.",
        in_path=PHONE,
        body=ROTATION,
        answer=RotationAnswer,
        errors=(
            BadArgument("Expected a number from 0 to 86400 in field overlap"),
            Forbidden,
            NoSuchPhone,
            RotationUnderWay(datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
            ownership.owned_by_asterisk("pbx", ownership.CHANGE_PASSWORD),
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
)
