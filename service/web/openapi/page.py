"""`/`, `/docs` and `/openapi.json`: public, as they hold no secret, and usable offline.

All are rendered on first use; an entity tag identifies each version.
"""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from aiohttp import web

from service.web.http.errors import encode
from service.web.http.etag import matches_etag
from service.web.http.handler_types import Handler
from service.web.openapi.document import document
from service.web.openapi.operation import Auth, Operation

ASSETS = Path(__file__).parent / "assets"
SCRIPT = ("page_schema.js", "page_request.js", "page.js")
"""The scripts of the reference, in order of dependency. The page holds them as one."""


class Description:
    """The description of the operations of this process."""

    def __init__(self, families: Mapping[str, Iterable[Operation]]) -> None:
        self._families = families
        self._openapi: bytes | None = None

    async def openapi(self) -> bytes:
        """The OpenAPI document. Building it takes a tenth of a second, so a thread does it."""
        if self._openapi is None:
            self._openapi = await asyncio.to_thread(lambda: encode(document(self._families)))
        return self._openapi

    @cached_property
    def page(self) -> bytes:
        """The reference with its style and script: a single request, and nothing from other hosts."""
        return _page("page")

    @cached_property
    def home(self) -> bytes:
        """The home page, for a browser that opens the service's address."""
        return _page("home")

    @cached_property
    def icon(self) -> bytes:
        """The icon, as SVG."""
        return _asset("favicon.svg").encode()

    @cached_property
    def page_policy(self) -> str:
        """The Content-Security-Policy of the reference: its own script and style, requests to this service only."""
        return f"{_policy('page')}; script-src '{_digest(_script())}'; connect-src 'self'"

    @cached_property
    def home_policy(self) -> str:
        """The Content-Security-Policy of the home page: its own style, and the icon."""
        return _policy("home")


DESCRIPTION = web.AppKey("description", Description)


async def openapi(request: web.Request) -> web.Response:
    """GET /openapi.json"""
    return _cached(request, await request.app[DESCRIPTION].openapi(), {"Content-Type": "application/json"})


async def docs(request: web.Request) -> web.Response:
    """GET /docs"""
    description = request.app[DESCRIPTION]
    return _cached(request, description.page, _html(description.page_policy))


async def home(request: web.Request) -> web.Response:
    """GET /"""
    description = request.app[DESCRIPTION]
    return _cached(request, description.home, _html(description.home_policy))


async def icon(request: web.Request) -> web.Response:
    """GET /favicon.ico"""
    return _cached(request, request.app[DESCRIPTION].icon, {"Content-Type": "image/svg+xml"})


def _html(policy: str) -> dict[str, str]:
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


def _cached(request: web.Request, body: bytes, headers: dict[str, str]) -> web.Response:
    tag = hashlib.blake2b(body, digest_size=16).hexdigest()
    headers |= {"Cache-Control": "no-cache", "ETag": f'"{tag}"'}
    if matches_etag(request, headers["ETag"]):
        return web.Response(status=304, headers={**headers})
    return web.Response(body=body, headers=headers)


def _page(name: str) -> bytes:
    """A page with its style, and its script if it has a place for one."""
    page = _asset(f"{name}.html").replace("/*style*/", _asset(f"{name}.css"))
    return page.replace("/*script*/", _script()).encode()


def _policy(name: str) -> str:
    return (
        f"default-src 'none'; style-src '{_digest(_asset(f'{name}.css'))}'; img-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _script() -> str:
    return "".join(map(_asset, SCRIPT))


def _digest(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _for_everybody(path: str, handler: Handler, summary: str, media_type: str, answer: Any = None) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        summary=summary,
        auth=Auth.NONE,
        answer=answer,
        media_type=media_type,
        conditional=True,
    )


OPERATIONS = (
    _for_everybody("/openapi.json", openapi, "OpenAPI description", "application/json", dict[str, Any]),
    _for_everybody("/docs", docs, "API reference (HTML)", "text/html"),
    _for_everybody("/", home, "Home page (HTML)", "text/html"),
    _for_everybody("/favicon.ico", icon, "Icon of the HTML pages", "image/svg+xml"),
)
