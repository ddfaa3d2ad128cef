"""Lists, creates and deletes the phones of a person: their own, for admins anybody's."""

from __future__ import annotations

import structlog
from aiohttp import web

from service.db import ownership, phones
from service.db.phones import Holder
from service.domain.models import Person
from service.domain.phone_kinds import PHONE_KINDS
from service.domain.user_names import folded
from service.errors import DatabaseUnavailable, NoSuchExtension, NoSuchPhone, NoSuchUser
from service.web.app_keys import CREDENTIAL_OWNERS, DATABASE, DIRECTORY, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.http.errors import BODY_ERRORS, BadArgument, Forbidden, UserNotFound
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.json_response import json_response
from service.web.openapi.operation import Operation, Success
from service.web.phones.schemas import (
    NEW_PHONE,
    PHONE,
    PHONES,
    NewPhone,
    NewPhoneAnswer,
    PhonesAnswer,
    describe,
)
from service.web.phones.setup_links import build_setup

log = structlog.get_logger(__name__)

PATH = "/api/v1/phones"


async def list_phones(request: web.Request) -> web.Response:
    """GET /api/v1/phones"""
    by = await require_caller(request)
    person = _whose(request, by, PHONES.decode(request).user_id)
    stored = await phones.list_of_user(request.app[DATABASE], person.user_id)
    return json_response(PhonesAnswer([describe(request.app, phone) for phone in stored]))


def _whose(request: web.Request, by: Person, uid: str | None) -> Person:
    """Return whose phones are asked for. Raises Forbidden, UserNotFound."""
    if uid is None or uid == by.uid:
        return by
    if not by.is_admin:
        raise Forbidden
    person = request.app[DIRECTORY].person_by_uid(uid)
    if person is None:
        raise UserNotFound
    return person


async def create_phone(request: web.Request) -> web.Response:
    """POST /api/v1/phones"""
    by = await require_caller(request)
    given, settings = await NEW_PHONE.decode(request), request.app[SETTINGS]
    phone, link = await phones.create(
        request.app[DATABASE],
        _holder(by, given),
        PHONE_KINDS[given.kind],
        given.label,
        origin=origin_of(request, by),
        most=settings.phones_per_person,
        with_link=settings.public_url is not None,
        imported=request.app[CREDENTIAL_OWNERS].imported,
    )
    log.info("phone_created", phone=phone.phone_id, endpoint=phone.endpoint, kind=phone.kind, by=by.user_id)
    await refresh_extensions(request, phone.extension)
    setup = None
    if link is not None and settings.public_url is not None:
        setup = build_setup(settings.public_url, link, phone.kind)
    return json_response(NewPhoneAnswer(describe(request.app, phone), setup))


def _holder(by: Person, given: NewPhone) -> Holder:
    """Return who shall have the phone. Raises Forbidden for anybody else, unless an admin asks."""
    if not by.is_admin:
        others = given.user_id not in (None, by.uid) or (
            given.username is not None and folded(given.username) != folded(by.name)
        )
        if others:
            raise Forbidden
        return Holder(user_id=by.user_id)
    if given.user_id is None and given.username is None:
        return Holder(user_id=by.user_id)
    return Holder(uid=given.user_id or "", name=given.username or "")


async def delete_phone(request: web.Request) -> web.Response:
    """DELETE /api/v1/phones/{id}"""
    by = await require_caller(request)
    extension, endpoint = await _delete(request, by)
    log.info("phone_deleted", endpoint=endpoint, by=by.user_id)
    await refresh_extensions(request, extension)
    return json_response(Success())


async def _delete(request: web.Request, by: Person) -> tuple[str, str]:
    """Delete. To whoever is no admin, all phones but their own are the same: Forbidden."""
    try:
        return await phones.delete(
            request.app[DATABASE],
            PHONE.decode(request).number,
            origin=origin_of(request, by),
            holder=None if by.is_admin else by.user_id,
            imported=request.app[CREDENTIAL_OWNERS].imported,
        )
    except NoSuchPhone:
        if by.is_admin:
            raise
        raise Forbidden from None


OPERATIONS = (
    Operation(
        method="GET",
        path=PATH,
        handler=list_phones,
        summary="List the phones of a person",
        details="One's own; admins may list anybody's. The extension's own phone comes first. Read from PostgreSQL and "
        "from memory: registrations are those of the moment.",
        query=PHONES,
        answer=PhonesAnswer,
        errors=(BadArgument("Key 'userId' is given more than once"), Forbidden, UserNotFound, DatabaseUnavailable),
    ),
    Operation(
        method="POST",
        path=PATH,
        handler=create_phone,
        summary="Create a phone for a person, with a set-up link",
        details="Users may create their own, admins anybody's. The phone is an endpoint of its own in Asterisk, with a "
        "SIP password that nobody has to type; it rings with the person's other phones. `setup` is the link by which "
        "the phone gets it. An extension has at most `CONNECTOR_PHONES_PER_PERSON` phones. 409 also for an inactive "
        "user, a disabled extension, and on an imported call server, whose endpoints Asterisk owns.",
        body=NEW_PHONE,
        answer=NewPhoneAnswer,
        errors=(
            BadArgument("Missing key 'kind'"),
            Forbidden,
            NoSuchUser,
            NoSuchExtension,
            phones.limit_reached("12342", 8),
            ownership.owned_by_asterisk("pbx", ownership.CREATE),
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/{{id}}",
        handler=delete_phone,
        summary="Delete a phone, as when it is lost",
        details="Users may delete their own phones, admins any. Its SIP password, set-up link and device URL end at "
        "once: no call rings it any more, it can place none, and its next REGISTER is refused. A registration that it "
        "has is listed until its expiry, at most 300 s. A call that it is in goes on. Other phones notice nothing. "
        "The extension's own phone cannot be deleted (409): rotate its SIP password instead.",
        in_path=PHONE,
        answer=Success,
        errors=(
            Forbidden,
            NoSuchPhone,
            phones.own_phone("12342"),
            ownership.owned_by_asterisk("pbx", ownership.DELETE),
            DatabaseUnavailable,
        ),
    ),
)
