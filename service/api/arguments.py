"""An argument of a GET, from the query, from a JSON body sent with it, or the same from both, as the originals do."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from service.api import body
from service.api.errors import BadArgument


async def text(request: web.Request, name: str) -> str:
    """The argument's value, a string that is not empty. Raises BadArgument in the originals' words."""
    found = await optional_text(request, name)
    if found is None:
        raise BadArgument(f"Missing key '{name}'")
    return found


async def optional_text(request: web.Request, name: str) -> str | None:
    """The argument's value; None when it is not given. Raises BadArgument."""
    given = request.query.getall(name, [])
    if len(given) > 1:
        raise BadArgument(f"Key '{name}' is given more than once")
    raw = await body.read(request)
    if raw:
        parsed: dict[str, Any] = body.parse_object(raw)
        if name in parsed:
            value = parsed[name]
            if not isinstance(value, str):
                raise BadArgument(f"Expected string, got {body.type_name(value)} in field {name}")
            given.append(value)
    if not given:
        return None
    if len(set(given)) > 1:
        raise BadArgument(f"Key '{name}' differs between query and body")
    if not given[0]:
        raise BadArgument(f"Expected non-empty string in field {name}")
    return given[0]
