"""The routes of the pages and their files. They are for browsers, so the API's description leaves them out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import msgspec
from aiohttp import typedefs as aiohttp_types
from aiohttp import web

from service.settings import Settings
from service.web.http.errors import RouteNotFound
from service.web.http.handler_types import Handler
from service.web.http.params import Path
from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.pages.assets import Assets
from service.web.pages.documents import PAGES, Document


class Pages:
    """All pages with their files, read when it is made."""

    def __init__(self, settings: Settings) -> None:
        self.assets = Assets()
        urls = [server.address(name).websocket_url for name, server in settings.call_servers.items()]
        self.documents = {page.path: Document(page, self.assets, urls) for page in PAGES}


class AssetPath(msgspec.Struct, frozen=True):
    """A file."""

    name: str
    """Its served name."""


PAGES_KEY = web.AppKey("pages", Pages)
ASSET = Path(AssetPath)


async def asset(request: web.Request) -> PrebuiltResponse:
    """GET /assets/{name}"""
    found = request.app[PAGES_KEY].assets.get(ASSET.decode(request).name)
    if found is None:
        raise RouteNotFound
    return found.respond(accepts_gzip=_accepts_gzip(request.headers.getall("Accept-Encoding", ())))


def _document(path: str) -> Handler:
    async def answer(request: web.Request) -> PrebuiltResponse:
        return request.app[PAGES_KEY].documents[path].respond(request)

    return answer


def _accepts_gzip(headers: Iterable[str]) -> bool:
    codings = (coding.partition(";") for header in headers for coding in header.lower().replace(" ", "").split(","))
    return any(name == "gzip" and weight not in ("q=0", "q=0.0") for name, _, weight in codings)


def _get(path: str, handler: Handler) -> web.RouteDef:
    """The route for aiohttp, which finds the handler that the dispatcher calls."""
    return web.get(path, cast(aiohttp_types.Handler, handler))


ROUTES = (*(_get(page.path, _document(page.path)) for page in PAGES), _get("/assets/{name}", asset))
