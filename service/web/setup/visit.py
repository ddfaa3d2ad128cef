"""The page of a set-up link, and the button on it that shows a phone's account, once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from service.db import phone_setups
from service.db.phone_setups import Fetched
from service.domain.device_states import Freshness
from service.domain.phone_kinds import PHONE_KINDS, PhoneKind, SetUp
from service.domain.provisioning.account import SipAccount
from service.domain.provisioning.browser_phone import browser_phone_json
from service.domain.provisioning.gswave import gswave_xml
from service.domain.provisioning.typed_account import typed_account
from service.domain.qr_code import qr_svg
from service.errors import NoSuchLink, Unavailable
from service.web.app_keys import CREDENTIAL_OWNERS, DATABASE, DIRECTORY, LINKS, PHONE_ACTIVITY
from service.web.http.client_address import CLIENT_ADDRESSES
from service.web.http.errors import TooManyRequests
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.request_id import request_id_of
from service.web.server.outage import OUTAGE
from service.web.setup.access import Opened, open_link, origin_of_token, refuse_link
from service.web.setup.account import account_of
from service.web.setup.languages.choice import choose_language
from service.web.setup.languages.texts import Texts
from service.web.setup.page import (
    SHOW,
    Disclosed,
    Visited,
    refusal_page,
    secret_page,
    setup_page,
    style_digest,
    unavailable_page,
)

POLICY = (
    f"default-src 'none'; style-src '{style_digest()}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


Maker = Callable[[web.Request, Texts], Awaitable[str]]
"""Makes a page. Raises NoSuchLink, TooManyRequests, Unavailable."""


async def visit(request: web.Request, texts: Texts) -> str:
    """GET /p/{token}: what to do. It consumes nothing and shows no secret."""
    opened = open_link(request)
    kind = _kind_of(request, opened)
    assert opened.phone.setup is not None
    link = request.app[LINKS].get(opened.extension.call_server)
    url = f"{opened.public_url}/p/{opened.token}/linphone.xml"
    return setup_page(
        texts,
        _visited(opened, kind),
        token=opened.token,
        url=url,
        qr=qr_svg(url) if kind.set_up is SetUp.FETCHES else "",
        now=request.app[DIRECTORY].now(),
        expires_at=opened.phone.setup.link_expires_at,
        live=link is not None and link.states.freshness is Freshness.LIVE,
    )


async def show(request: web.Request, texts: Texts) -> str:
    """POST /p/{token}/show: the account with a new SIP password. It ends the link.

    Nothing but the link is asked for: it is the only authority, so a forged request would have to hold it already.
    """
    opened = open_link(request)
    kind = _kind_of(request, opened)
    if kind.set_up is SetUp.FETCHES:
        raise refuse_link(request)
    fetched = await phone_setups.fetch(
        request.app[DATABASE],
        opened.token_hash,
        origin=origin_of_token(request),
        shown_as=kind.name,
        consume=True,
        imported=request.app[CREDENTIAL_OWNERS].imported,
    )
    await refresh_extensions(request, opened.extension.number)
    request.app[PHONE_ACTIVITY].record(opened.phone.phone_id, request.app[CLIENT_ADDRESSES].of(request))
    account = account_of(opened, request.app[DIRECTORY], fetched.secret)
    return secret_page(texts, _visited(opened, kind), _disclose(opened, kind, account, fetched))


async def shown_before(request: web.Request, texts: Texts) -> str:
    """GET /p/{token}/show: a tab that is opened again. There is nothing to see any more."""
    raise NoSuchLink("what the button showed is shown once")


def _answer(path: str, make: Maker) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler that answers with a page in the reader's language, whatever comes of it."""

    async def handler(request: web.Request) -> web.Response:
        texts = choose_language(request.headers.get(hdrs.ACCEPT_LANGUAGE))
        headers = {
            hdrs.CONTENT_LANGUAGE: texts.language,
            "Content-Security-Policy": POLICY,
            hdrs.VARY: hdrs.ACCEPT_LANGUAGE,
        }
        status = 200
        try:
            page = await make(request, texts)
        except NoSuchLink:
            status, page = 404, refusal_page(texts)
        except Unavailable as error:
            request.app[OUTAGE].report(error, request_id_of(request) or "", path)
            headers[hdrs.RETRY_AFTER] = str(error.retry_after)
            status, page = 503, unavailable_page(texts)
        except TooManyRequests as error:
            headers[hdrs.RETRY_AFTER] = str(error.seconds)
            status, page = 429, unavailable_page(texts)
        answer = web.Response(text=page, status=status, content_type="text/html", charset="utf-8", headers=headers)
        if status == 429:
            answer.force_close()  # as for all that is under this path: a further guess costs a connection
        return answer

    return handler


def _disclose(opened: Opened, kind: PhoneKind, account: SipAccount, fetched: Fetched) -> Disclosed:
    match kind.set_up:
        case SetUp.SCANS:
            return Disclosed(typed_account(account), qr=qr_svg(gswave_xml(account).decode()))
        case SetUp.IMPORTS:
            websocket = opened.server.address(opened.extension.call_server)
            return Disclosed({}, configuration=browser_phone_json(account, websocket))
    balance = f"{opened.public_url}/p/d/{fetched.device_token}/balance.xml" if kind.name == "groundwire" else None
    return Disclosed(typed_account(account, balance))


def _kind_of(request: web.Request, opened: Opened) -> PhoneKind:
    """The phone's kind. Raises NoSuchLink for one that has no link here; a newer release may know more kinds."""
    kind = PHONE_KINDS.get(opened.phone.kind)
    if kind is None or kind.set_up is None:
        raise refuse_link(request)
    return kind


def _visited(opened: Opened, kind: PhoneKind) -> Visited:
    return Visited(kind, opened.phone.label or opened.phone.endpoint, opened.extension.number)


PAGE, SHOWN = "/p/{token}", f"/p/{{token}}/{SHOW}"
ROUTES = (
    web.get(PAGE, _answer(PAGE, visit)),
    web.post(SHOWN, _answer(SHOWN, show)),
    web.get(SHOWN, _answer(SHOWN, shown_before)),
)
