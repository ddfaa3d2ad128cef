"""Which handler a request's path belongs to: plain paths by a look into a table, all others by aiohttp's router."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple, TypeVar, cast

from aiohttp import web

from service.web.http.handlers import Handler, SyncHandler

R = TypeVar("R", bound=web.Request)

NOWHERE = "none"
"""The label of what belongs to no route."""
_PLAIN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""A part of a path that says the same whether it is unquoted or not."""
_SLASHES = re.compile(r"/{2,}")
MOST_PARTS = 16
"""Parts of a path that are looked at: no route has as many, and aiohttp's router takes the square of their number."""


class PathMatch(NamedTuple):
    """Where a request belongs. A tuple, as one is made for most polls of presence."""

    match: web.UrlMappingMatchInfo
    handler: Handler
    label: str
    """The route's pattern, for the metrics: never a path that a client made up."""
    sync_handler: SyncHandler | None = None


class PathTable:
    """The table is made from the application's own routes, so there is no second opinion on what a path means."""

    def __init__(self, app: web.Application, sync_handlers: Mapping[tuple[str, str], SyncHandler]) -> None:
        self._app = app
        self._sync_handlers = sync_handlers
        self._fixed: dict[tuple[str, str], PathMatch] = {}
        self._by_last: defaultdict[tuple[str, str], list[tuple[re.Pattern[str], PathMatch]]] = defaultdict(list)
        for route in app.router.routes():
            resource, found = route.resource, self._found(web.UrlMappingMatchInfo({}, route))
            if isinstance(resource, web.PlainResource):  # of two for the same path the router takes the first
                self._fixed.setdefault((route.method, resource.canonical), found)
            elif isinstance(resource, web.DynamicResource):
                head, _, last = resource.canonical.rpartition("/")
                if "{" not in head and last.startswith("{"):
                    self._by_last[route.method, head].append((resource.get_info()["pattern"], found))

    def find(self, request: web.Request) -> PathMatch | None:
        """Where a plain path belongs: one that is fixed, or whose last part is the only argument. None for others."""
        path = request.rel_url.raw_path
        found = self._fixed.get((request.method, path))
        if found is not None:
            return found
        head, _, last = path.rpartition("/")
        routes = self._by_last.get((request.method, head))
        if routes is not None and _PLAIN.fullmatch(last):
            for pattern, found in routes:
                if match := pattern.fullmatch(path):
                    info = web.UrlMappingMatchInfo(match.groupdict(), found.match.route)
                    return PathMatch(self._complete(info), *found[1:])
        return None

    async def resolve(self, request: R) -> tuple[R, PathMatch]:
        """Where aiohttp's router says that it belongs, each run of raw slashes taken as one: served, not redirected.

        The seed's own example asks for `/v1//user/1795`. `%2F` is no raw slash and stays what it is.
        """
        url = request.rel_url
        if "//" in url.raw_path:
            path = _SLASHES.sub("/", url.raw_path)
            url = url.build(path=path, query_string=url.raw_query_string, encoded=True)
            request = cast(R, request.clone(rel_url=url))
        parts = url.raw_path.split("/", MOST_PARTS + 1)
        looked_up: web.Request = request
        if len(parts) > MOST_PARTS + 1:
            looked_up = request.clone(rel_url=url.build(path="/".join(parts[:-1]), encoded=True))
        return request, self._found(await self._app.router.resolve(looked_up))

    def _found(self, match: web.UrlMappingMatchInfo) -> PathMatch:
        self._complete(match)
        resource = match.route.resource
        handler = cast(Handler, match.handler)
        if resource is None:
            return PathMatch(match, handler, NOWHERE)
        label = resource.canonical
        return PathMatch(match, handler, label, self._sync_handlers.get((match.route.method, label)))

    def _complete(self, match: web.UrlMappingMatchInfo) -> web.UrlMappingMatchInfo:
        """As aiohttp's application would leave it."""
        match.add_app(self._app)
        match.freeze()
        return match
