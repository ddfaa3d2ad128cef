"""Connections that others on the network could read: what the `check` command says of them."""

from __future__ import annotations

from service.domain.models import Finding
from service.domain.networks import is_loopback


def find_readable(part: str, connection: str, address: str | None, remedy: str) -> Finding | None:
    """Report a connection without TLS to another machine. None for a socket (no address) and for this machine's own."""
    if address is None or address == "localhost" or is_loopback(address):
        return None
    what = f"{connection} has no TLS: whoever reads that network reads secrets"
    return Finding(part, what, f"{remedy}, unless nobody can eavesdrop there", needed=False)
