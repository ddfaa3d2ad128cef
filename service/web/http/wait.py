"""The argument `wait` of a long poll."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from msgspec import Meta

from service.web.http.errors import BadArgument
from service.web.http.numbers import decimal

LONGEST_WAIT = 30.0
"""Seconds; a longer `wait` counts as this."""
Wait = Annotated[float, Meta(ge=0, description="Long-poll timeout in seconds, at most 30.")]


def waiting_time(request: web.Request) -> float:
    """The argument `wait` in seconds, 30 at most. Raises BadArgument."""
    texts = request.query.getall("wait", [])
    if not texts:
        return 0.0
    if len(texts) > 1:
        raise BadArgument("Key 'wait' is given more than once")
    seconds = decimal(texts[0])
    if seconds is None:
        raise BadArgument("Expected seconds in field wait")
    return min(seconds, LONGEST_WAIT)
