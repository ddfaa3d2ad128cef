"""`If-None-Match`: whether a client has an answer already."""

from __future__ import annotations

from aiohttp import hdrs, web

LONGEST = 1024
"""Bytes of tags that are parsed. Whoever sends more gets the whole answer."""


def known(request: web.Request, etag: str) -> bool:
    """Whether the request names this entity tag, weak or strong, or says `*`."""
    given = request.headers.get(hdrs.IF_NONE_MATCH)
    if given is None or len(given) > LONGEST:
        return False
    if given == etag:  # as pollers send it: no need to look closer
        return True
    tags = request.if_none_match
    return tags is not None and any(tag.value in ("*", etag.strip('"')) for tag in tags)
