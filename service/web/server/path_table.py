"""Finds the handler of a path: plain paths in a table, all others through aiohttp's router."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple, TypeVar, cast

from aiohttp import web

from service.web.http.handler_types import Handler, PlainHandler, SyncHandler

R = TypeVar("R", bound=web.Request)

NO_ROUTE = "none"
"""The label of requests without a route."""
_PLAIN_SEGMENT = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
"""A path segment that unquoting does not change."""
_SLASHES = re.compile(r"/{2,}")
MAX_SEGMENTS = 16
"""Segments of a path that are considered: no route has as many, and aiohttp's router takes quadratic time."""


class PathMatch(NamedTuple):
    """The route of a request."""

    match: web.UrlMappingMatchInfo
    handler: Handler
    label: str
    """The route's pattern, for the metrics: never a path that the client chose."""
    sync_handler: SyncHandler | None = None
    plain_handler: PlainHandler | None = None


class PathTable:
    """The table. It is derived from the application's routes, so that both always agree."""

    def __init__(
        self,
        app: web.Application,
        sync_handlers: Mapping[tuple[str, str], SyncHandler],
        plain_handlers: Mapping[tuple[str, str], PlainHandler] = MappingProxyType({}),
    ) -> None:
        self._app = app
        self._sync_handlers = sync_handlers
        self._plain_handlers = plain_handlers
        self._fixed: dict[tuple[str, str], PathMatch] = {}
        self._by_last: defaultdict[tuple[str, str], list[tuple[re.Pattern[str], PathMatch]]] = defaultdict(list)
        for route in app.router.routes():
            resource, found = route.resource, self._path_match(web.UrlMappingMatchInfo({}, route))
            if isinstance(resource, web.PlainResource):  # the router takes the first of two equal paths
                self._fixed.setdefault((route.method, resource.canonical), found)
            elif isinstance(resource, web.DynamicResource):
                head, _, last = resource.canonical.rpartition("/")
                if "{" not in head and last.startswith("{"):
                    self._by_last[route.method, head].append((resource.get_info()["pattern"], found))

    def find_plain(self, method: str, path: str) -> tuple[PathMatch, Mapping[str, str]] | None:
        """The route of a plain path and its parameter: fixed, or with the last segment as its only parameter."""
        found = self._fixed.get((method, path))
        if found is not None:
            return found, found.match
        head, _, last = path.rpartition("/")
        routes = self._by_last.get((method, head))
        if routes is not None and _PLAIN_SEGMENT.fullmatch(last):
            for pattern, found in routes:
                if match := pattern.fullmatch(path):
                    return found, match.groupdict()
        return None

    def find(self, request: web.Request) -> PathMatch | None:
        """The route of a plain path, as `find_plain` finds it. None for others."""
        plain = self.find_plain(request.method, request.rel_url.raw_path)
        if plain is None:
            return None
        found, parameters = plain
        if parameters is found.match:
            return found
        info = web.UrlMappingMatchInfo(dict(parameters), found.match.route)
        return PathMatch(self._complete(info), *found[1:])

    async def resolve(self, request: R) -> tuple[R, PathMatch]:
        """The route that aiohttp's router finds. A run of raw slashes counts as one: it is served, not redirected.

        The API's own example requests `/v1//user/1795`. `%2F` is not a raw slash and stays unchanged.
        """
        url = request.rel_url
        if "//" in url.raw_path:
            path = _SLASHES.sub("/", url.raw_path)
            url = url.build(path=path, query_string=url.raw_query_string, encoded=True)
            request = cast(R, request.clone(rel_url=url))
        parts = url.raw_path.split("/", MAX_SEGMENTS + 1)
        looked_up: web.Request = request
        if len(parts) > MAX_SEGMENTS + 1:
            looked_up = request.clone(rel_url=url.build(path="/".join(parts[:-1]), encoded=True))
        return request, self._path_match(await self._app.router.resolve(looked_up))

    def _path_match(self, match: web.UrlMappingMatchInfo) -> PathMatch:
        self._complete(match)
        resource = match.route.resource
        handler = cast(Handler, match.handler)
        if resource is None:
            return PathMatch(match, handler, NO_ROUTE)
        label = resource.canonical
        key = match.route.method, label
        return PathMatch(match, handler, label, self._sync_handlers.get(key), self._plain_handlers.get(key))

    def _complete(self, match: web.UrlMappingMatchInfo) -> web.UrlMappingMatchInfo:
        """Complete a match as aiohttp's application does."""
        match.add_app(self._app)
        match.freeze()
        return match
