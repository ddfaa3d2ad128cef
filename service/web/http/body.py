"""A request's body: read within a limit and a deadline, and parsed as the one JSON object that it must be."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from service.web.app_keys import SETTINGS
from service.web.http.errors import BadArgument, BodyTooLarge, BodyTooSlow, BodyUnsupported
from service.web.http.json_types import type_name

DEEPEST = 32
"""Arrays and objects in one another. No call needs four, and what walks through a value should not run out of stack."""
OF_STRANGERS = 8192
"""Bytes of a body that anybody may send, as a login: parsing takes the loop. The longest name, escaped, takes half."""


async def read(request: web.Request, most: int | None = None) -> bytes:
    """The whole body. Raises BodyTooLarge, BodyTooSlow, BadArgument for one whose chunks make no sense.

    `most`: bytes, where a call takes less than all others do; then it can be read only once.
    """
    if not request.body_exists:
        return b""
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_deadline):
            return await (request.read() if most is None else _read_at_most(request, most))
    except TimeoutError:
        raise BodyTooSlow from None
    except web.HTTPRequestEntityTooLarge:
        raise BodyTooLarge from None
    except web.RequestPayloadError:
        raise BadArgument("the body cannot be decoded") from None


async def _read_at_most(request: web.Request, most: int) -> bytes:
    if (request.content_length or 0) > most:
        raise BodyTooLarge
    found = bytearray()
    while some := await request.content.readany():
        found += some
        if len(found) > most:
            raise BodyTooLarge
    return bytes(found)


async def read_object(request: web.Request, *, form: bool = False, most: int | None = None) -> dict[str, Any]:
    """The body as an object: JSON, or a form where that is allowed; the wrong content type is BodyUnsupported."""
    kind = request.content_type
    if form and kind == "application/x-www-form-urlencoded":
        return parse_form(await read(request, most))
    raw = await read(request, most)
    if raw and kind not in ("application/json", "application/octet-stream"):  # the latter: none was given
        raise BodyUnsupported
    return parse_object(raw) if raw else {}


def parse_form(raw: bytes) -> dict[str, Any]:
    """A form's fields, each once, in UTF-8 whatever its `charset` says. Raises BadArgument."""
    try:
        return _once(parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=100))
    except ValueError:
        raise BadArgument("the body is not a valid form") from None


def parse_optional(raw: bytes) -> dict[str, Any]:
    """The object sent with a GET, if any. axios sends the word `null` where it is given no body. Raises BadArgument."""
    return parse_object(raw) if raw and raw.strip() != b"null" else {}


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
    if raw.count(b"{") + raw.count(b"[") > DEEPEST and _is_deeper(value, DEEPEST):
        raise BadArgument("the body is nested too deeply")
    return value


def _is_deeper(value: object, depth: int) -> bool:
    """Whether there are more arrays and objects in one another than this."""
    level = [value]
    for _ in range(depth):
        level = [item for each in level for item in _items(each) if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _items(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise BadArgument(f"Key {twice!a} is given more than once")  # half a surrogate cannot be sent back
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is Python's, not JSON's")
