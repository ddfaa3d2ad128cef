"""The request that handlers get."""

from __future__ import annotations

from aiohttp import web


class Request(web.Request):
    """aiohttp's request, whose route the dispatcher found."""

    ATTRS = web.Request.ATTRS | {"match", "request_id"}
    match: web.UrlMappingMatchInfo
    """The route, with the path parameters. The dispatcher sets it."""
    request_id: str
    """The id that the response carries. The dispatcher sets it."""

    @property
    def match_info(self) -> web.UrlMappingMatchInfo:
        """The path parameters by name."""
        return self.match

    @property
    def app(self) -> web.Application:
        """The application of the route."""
        return self.match.current_app
