"""Paths under `/p/`, which hold the tokens of set-up links and device URLs. A token tells a phone's SIP password.

So no log names such a path, no page of another origin reads a response, and no cache, `Referer` or index keeps one.
"""

from __future__ import annotations

from urllib.parse import unquote

PREFIX = "/p"
SETUP_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex",
}
"""Headers of every response under `/p/`."""


def is_setup_path(raw_path: str) -> bool:
    """Whether a path, as sent, is under `/p/`. Repeated slashes count as one, as the dispatcher serves them."""
    return unquote(raw_path.lstrip("/").partition("/")[0]) == PREFIX[1:]


def loggable_path(path: str, raw_path: str, label: str) -> str:
    """A path for the log: under `/p/` its route, else the path itself."""
    return f"{PREFIX}/ ({label})" if is_setup_path(raw_path) else path
