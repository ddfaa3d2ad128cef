"""Tokens of set-up links and device URLs: who holds one may fetch a phone's configuration, with its SIP password."""

from __future__ import annotations

import hashlib
import re
import secrets

LINK_LIFETIME = 600
"""Seconds for which a set-up link is valid."""
LINK_FETCHES = 3
"""Times that a phone may fetch its configuration by one link: one that loses the answer asks again."""

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32}", re.ASCII)


def new_setup_token() -> str:
    """Make a random token of 192 bits, 32 characters for a URL's path."""
    return secrets.token_urlsafe(24)


def hash_setup_token(token: str) -> bytes | None:
    """Return the SHA-256 by which a token is stored; None for what cannot be one.

    A random token needs no stretching.
    """
    return hashlib.sha256(token.encode()).digest() if _TOKEN.fullmatch(token) else None
