"""`If-None-Match`: whether the client has the current response already."""

from __future__ import annotations

from aiohttp import hdrs, web

MAX_HEADER_LENGTH = 1024
"""Maximum length of the header that is parsed; a longer one matches nothing."""


def matches_etag(request: web.Request, etag: str) -> bool:
    """Whether the request names this entity tag, weak or strong, or `*`."""
    given = request.headers.get(hdrs.IF_NONE_MATCH)
    if given is None or len(given) > MAX_HEADER_LENGTH:
        return False
    if given == etag:  # as pollers send it: no need to parse
        return True
    tags = request.if_none_match
    return tags is not None and any(tag.value in ("*", etag.strip('"')) for tag in tags)
