"""Entity tags: keyed digests of what a response contains, and `If-None-Match`.

Tags appear in logs and responses contain secrets, so the digest is keyed. All replicas share the key, so their tags are
equal.
"""

from __future__ import annotations

import hashlib

from service.web.http.polled_request import IF_NONE_MATCH, PolledRequest

MAX_HEADER_LENGTH = 1024
"""Maximum length of the header that is parsed; a longer one matches nothing."""


def keyed_digest(content: bytes, key: bytes) -> int:
    """128 bits. Digests may be summed: the sum covers a set, and changes with one item at the cost of one item."""
    return int.from_bytes(hashlib.blake2b(content, key=key, digest_size=16).digest(), "big")


def format_etag(digest: int) -> str:
    """A strong entity tag from a digest, or from a sum of digests."""
    return f'"{digest % (1 << 128):032x}"'


def matches_etag(request: PolledRequest, etag: str) -> bool:
    """Whether the request names this entity tag, weak or strong, or `*`."""
    given = request.headers.get(IF_NONE_MATCH)
    if given is None or len(given) > MAX_HEADER_LENGTH:
        return False
    if given == etag:  # as pollers send it: no need to parse
        return True
    tags = request.if_none_match
    return tags is not None and any(tag.value in ("*", etag.strip('"')) for tag in tags)
