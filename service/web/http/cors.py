"""CORS: pages of the configured origins may read responses; none by default."""

from __future__ import annotations

from aiohttp import web

from service.web.app_keys import SETTINGS
from service.web.http.headers import EXPOSED_HEADERS
from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import EXPOSE_HEADERS, PrebuiltResponse, render_headers

ALLOWED_HEADERS = "Content-Type, If-None-Match, X-Auth-Token, X-Request-Id, X-User-Id"
PREFLIGHT_MAX_AGE = "600"


def allow(request: PolledRequest, response: web.StreamResponse | PrebuiltResponse, origin: str) -> None:
    """Let the page read the response if its origin is configured. Tokens travel in headers, so no credentials."""
    response.headers["Vary"] = "Origin"
    if origin in request.app[SETTINGS].cors_origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        if isinstance(response, web.StreamResponse):  # a prebuilt one has it
            response.headers[EXPOSE_HEADERS] = EXPOSED_HEADERS


def preflight(request: web.Request, error: Exception) -> PrebuiltResponse | None:
    """The response to a browser's preflight request; None if the wrong method was not one."""
    is_preflight = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not is_preflight or not isinstance(error, web.HTTPMethodNotAllowed) or "Origin" not in request.headers:
        return None
    headers = {
        "Access-Control-Allow-Methods": ", ".join(sorted(error.allowed_methods)),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_MAX_AGE,
    }
    return PrebuiltResponse(204, render_headers(headers))
