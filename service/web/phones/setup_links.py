"""New set-up links: the URL of the page, and the QR code that the phone's app scans."""

from __future__ import annotations

import structlog
from aiohttp import web

from service.db import ownership, phone_setups, phones
from service.db.phone_setups import SetupLink
from service.domain.models import Person
from service.domain.qr_code import qr_svg
from service.domain.setup_urls import NO_PUBLIC_URL, scanned_url, setup_page_url
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable, NoSetup, NoSuchPhone
from service.web.app_keys import CREDENTIAL_OWNERS, DATABASE, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.http.errors import Forbidden
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.json_response import json_response
from service.web.openapi.operation import Operation
from service.web.phones.schemas import PHONE, Setup, SetupAnswer, describe

log = structlog.get_logger(__name__)


def build_setup(public_url: str, link: SetupLink, kind: str) -> Setup:
    """Return a new link as it is answered."""
    url = setup_page_url(public_url, link.token)
    scanned = scanned_url(url, kind)
    return Setup(url, qr_svg(scanned) if scanned is not None else None, rfc3339_ms(link.expires_at))


async def start_setup(request: web.Request) -> web.Response:
    """POST /api/v1/phones/{id}/setup"""
    by = await require_caller(request)
    public_url = request.app[SETTINGS].public_url
    phone_id, link = await _start(request, by, has_url=public_url is not None)
    assert public_url is not None
    phone = await phones.get(request.app[DATABASE], phone_id)
    log.info("phone_setup_started", phone=phone_id, endpoint=phone.endpoint, by=by.user_id)
    await refresh_extensions(request, phone.extension)
    return json_response(SetupAnswer(describe(request.app, phone), build_setup(public_url, link, phone.kind)))


async def _start(request: web.Request, by: Person, *, has_url: bool) -> tuple[int, SetupLink]:
    """Start. To whoever is no admin, all phones but their own are the same: Forbidden."""
    try:
        phone_id = PHONE.decode(request).number
        link = await phone_setups.start(
            request.app[DATABASE],
            phone_id,
            origin=origin_of(request, by),
            holder=None if by.is_admin else by.user_id,
            imported=request.app[CREDENTIAL_OWNERS].imported,
            has_url=has_url,
        )
    except NoSuchPhone:
        if by.is_admin:
            raise
        raise Forbidden from None
    return phone_id, link


OPERATIONS = (
    Operation(
        method="POST",
        path="/api/v1/phones/{id}/setup",
        handler=start_setup,
        summary="Make a new set-up link for a phone",
        details="Users may do so for their own phones, admins for any. The link before ends. The new one is valid for "
        "ten minutes and three fetches; each fetch gives the phone a new SIP password, and the phone's first "
        "registration ends the link. 409 for phones that no link sets up (kinds `browser` and `other`), without the "
        "setting `CONNECTOR_PUBLIC_URL`, and on an imported call server.",
        in_path=PHONE,
        answer=SetupAnswer,
        errors=(
            Forbidden,
            NoSuchPhone,
            NoSetup(NO_PUBLIC_URL),
            phone_setups.no_setup("browser"),
            ownership.owned_by_asterisk("pbx", ownership.CHANGE_PASSWORD),
            DatabaseUnavailable,
        ),
    ),
)
