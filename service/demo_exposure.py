"""What is public about the demo: anybody who read the documentation may be one of its people.

So the demo stays on one machine, unless CONNECTOR_ALLOW_DEMO says otherwise.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from service.credentials import token_hash
from service.domain.networks import is_loopback
from service.errors import ConfigurationError
from service.settings import Settings

ADMIN_TOKEN = "xS8jnLS2YzVy-_w8T_S0WnQm5SnADjACa7gbXmcOcLY"  # noqa: S105 - the seed's, public
ADMIN_TOKEN_HASH = token_hash(ADMIN_TOKEN)
UIDS = ("6vHSSqdBHdm2R4gfi", "ByehQjC44FwMeiLbX", "Sq7mWdXk3nPzT9cRb", "hT5rLwQ8vKz2fYj6N", "aB4cDeF6gH8jKmN9p")


def exposure(settings: Settings, bound: Iterable[str] = ()) -> str | None:
    """How others than this machine's own programs can reach the service; None when they cannot.

    `bound` are the addresses on which it listens, where it does already; else those of the settings are looked up.
    A container listens on all addresses, so there only CONNECTOR_PUBLISHED_ON tells.
    """
    for host in settings.published_on:
        if not _is_loopback(host):
            return f"CONNECTOR_PUBLISHED_ON names {host}"
    if not settings.published_on:
        for host in bound or [settings.http_host]:
            if not _is_loopback(host):
                return f"it listens on {host}"
    if settings.trusted_proxies:
        return "CONNECTOR_TRUSTED_PROXIES names a proxy before it"
    return None


def refuse_if_exposed(settings: Settings, bound: Iterable[str] = ()) -> None:
    """For where the demo's people or token are, or are about to be. Raises ConfigurationError."""
    if (how := find_forbidden_exposure(settings, bound)) is not None:
        raise refusal(how)


def find_forbidden_exposure(settings: Settings, bound: Iterable[str] = ()) -> str | None:
    """The exposure, unless the settings allow the demo in spite of it."""
    return None if settings.allow_demo else exposure(settings, bound)


def refusal(how: str) -> ConfigurationError:
    """What an operator is told."""
    return ConfigurationError(
        f"the demo's people and token are public, and others can reach this service: {how}. Start with an empty "
        "database, or keep to 127.0.0.1 without a proxy, or set CONNECTOR_ALLOW_DEMO=true"
    )


def _is_loopback(host: str) -> bool:
    """Whether all addresses of a host are this machine's loopback. What cannot be looked up is not."""
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        found = {str(address[0]) for *_, address in socket.getaddrinfo(bare or "0.0.0.0", None)}  # noqa: S104
        return all(map(is_loopback, found))
    except (OSError, UnicodeError, ValueError):
        return False
