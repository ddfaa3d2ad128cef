"""A JSON response through aiohttp, for calls that are not polled; polls use `prebuilt_response`."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service.web.http.errors import encode


def json_response(answer: msgspec.Struct, status: int = 200) -> web.Response:
    """The struct as JSON, not to be cached."""
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=encode(answer), content_type="application/json", headers=headers)
