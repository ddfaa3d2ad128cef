"""Which pages of other origins may read our answers: an explicit list, none by default."""

from __future__ import annotations

from aiohttp import web

from service.web.app_keys import SETTINGS
from service.web.http.headers import EXPOSED
from service.web.http.prebuilt_response import PrebuiltResponse, lines

ALLOWED_HEADERS = "Content-Type, If-None-Match, X-Auth-Token, X-Request-Id, X-User-Id"
PREFLIGHT_SECONDS = "600"


def allow(request: web.Request, answer: web.StreamResponse | PrebuiltResponse, origin: str) -> None:
    """Let the page read the answer, if its origin is listed. Tokens travel in headers: no cookie, no credentials."""
    answer.headers["Vary"] = "Origin"
    if origin in request.app[SETTINGS].cors_origins:
        answer.headers["Access-Control-Allow-Origin"] = origin
        answer.headers["Access-Control-Expose-Headers"] = EXPOSED


def preflight(request: web.Request, error: Exception) -> PrebuiltResponse | None:
    """The answer to a browser that asks before it sends, or None when the wrong method was no such question."""
    asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
    if not asks or not isinstance(error, web.HTTPMethodNotAllowed) or "Origin" not in request.headers:
        return None
    told = {
        "Access-Control-Allow-Methods": ", ".join(sorted(error.allowed_methods)),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Max-Age": PREFLIGHT_SECONDS,
    }
    return PrebuiltResponse(204, lines(told))
