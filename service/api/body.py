"""A request's body: read within a limit and a deadline, and parsed as the one JSON object that it must be."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from service.api.errors import BadArgument, BodyTooLarge, BodyTooSlow, BodyUnsupported
from service.keys import SETTINGS

_NAMES = {dict: "object", list: "array", str: "string", bool: "boolean", int: "number", float: "number"}


async def read(request: web.Request) -> bytes:
    """The whole body. Raises BodyTooLarge, BodyTooSlow, BadArgument for one whose chunks make no sense."""
    if not request.body_exists:
        return b""
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_deadline):
            return await request.read()
    except TimeoutError:
        raise BodyTooSlow from None
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except web.RequestPayloadError:
        raise BadArgument("the body cannot be decoded") from None


async def read_object(request: web.Request, *, form: bool = False) -> dict[str, Any]:
    """The body as an object: JSON, or a form where that is allowed; the wrong content type is BodyUnsupported."""
    kind = request.content_type
    if form and kind == "application/x-www-form-urlencoded":
        return parse_form(await read(request))
    raw = await read(request)
    if raw and kind not in ("application/json", "application/octet-stream"):  # the latter: none was given
        raise BodyUnsupported
    return parse_object(raw) if raw else {}


def parse_form(raw: bytes) -> dict[str, Any]:
    """A form's fields, each once, in UTF-8 whatever its `charset` says. Raises BadArgument."""
    try:
        return _once(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise BadArgument("the body is not a valid form") from None


def parse_object(raw: bytes) -> dict[str, Any]:
    """A JSON object from bytes, each key once. Raises BadArgument."""
    try:
        value = json.loads(raw, object_pairs_hook=_once, parse_constant=_no_constant)
    except BadArgument:
        raise
    except (ValueError, RecursionError):
        raise BadArgument("the body is not valid JSON") from None
    if not isinstance(value, dict):
        raise BadArgument(f"Expected object, got {type_name(value)}")
    return value


def type_name(value: object) -> str:
    """The name of a JSON value's type, as Rocket.Chat's messages spell it."""
    return _NAMES.get(type(value), "null")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadArgument(f"Key {twice!a} is given more than once")  # half a surrogate cannot be sent back
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")
