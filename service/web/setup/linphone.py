"""Linphone's configuration: by a set-up link first, by the device's URL at every start."""

from __future__ import annotations

from aiohttp import web

from service.db import phone_setups
from service.domain.first_registrations import FetchedLink
from service.domain.phone_kinds import PHONE_KINDS, SetUp
from service.domain.provisioning.linphone import linphone_xml
from service.web.app_keys import (
    CREDENTIAL_OWNERS,
    DATABASE,
    DIRECTORY,
    FIRST_REGISTRATIONS,
    LINKS,
    PHONE_ACTIVITY,
)
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.disclosures import DISCLOSURES
from service.web.http.extension_refresh import refresh_extensions
from service.web.setup.access import Opened, open_device, open_link, origin_of_token, refuse_link
from service.web.setup.account import account_of

FILE = "linphone.xml"


async def by_link(request: web.Request) -> web.Response:
    """GET /p/{token}/linphone.xml: makes a new SIP password and device URL. HEAD consumes nothing."""
    opened = open_link(request)
    _require_fetching(request, opened)
    if request.method == "HEAD":
        return web.Response(content_type="application/xml")
    fetched = await phone_setups.fetch(
        request.app[DATABASE],
        opened.token_hash,
        origin=origin_of_token(request),
        shown_as=FILE,
        imported=request.app[CREDENTIAL_OWNERS].imported,
    )
    await refresh_extensions(request, opened.extension.number)
    _watch_registration(request, opened)
    return _answer(request, opened, fetched.secret, fetched.device_token)


async def by_device(request: web.Request) -> web.Response:
    """GET /p/d/{deviceToken}/linphone.xml: the present SIP password, from memory."""
    opened = open_device(request)
    _require_fetching(request, opened)
    if request.method == "HEAD":
        return web.Response(content_type="application/xml")
    response = _answer(request, opened, opened.phone.secret, opened.token)
    request.app[DISCLOSURES].note_device_url(request, opened.extension.number, opened.phone, FILE)
    return response


def _require_fetching(request: web.Request, opened: Opened) -> None:
    """Raises NoSuchLink unless the phone is of a kind that reads a URL."""
    kind = PHONE_KINDS.get(opened.phone.kind)
    if kind is None or kind.set_up is not SetUp.FETCHES:
        raise refuse_link(request)


def _watch_registration(request: web.Request, opened: Opened) -> None:
    """Have the link end once the phone registers, which it cannot before the response."""
    phone, link = opened.phone, request.app[LINKS].get(opened.extension.call_server)
    if link is not None and phone.setup is not None:
        fetched = FetchedLink(phone.phone_id, phone.endpoint, opened.token_hash, phone.setup.link_expires_at)
        contacts = link.contacts.reported(phone.endpoint)
        request.app[FIRST_REGISTRATIONS].watch(opened.extension.call_server, fetched, contacts)
        if contacts:
            link.read_contacts_later(phone.endpoint)  # one of them may be renewed, which no event reports


def _answer(request: web.Request, opened: Opened, secret: str | None, device_token: str) -> web.Response:
    config_uri = f"{opened.public_url}/p/d/{device_token}/{FILE}"
    body = linphone_xml(account_of(opened, request.app[DIRECTORY], secret), config_uri)
    address = request.app[CLIENT_ADDRESSES].of(request)
    request.app[PHONE_ACTIVITY].record(opened.phone.phone_id, address)
    return web.Response(body=body, content_type="application/xml", charset="utf-8")


ROUTES = (
    web.get(f"/p/{{token}}/{FILE}", by_link),
    web.get(f"/p/d/{{deviceToken}}/{FILE}", by_device),
)
