"""Keeps the demo's public credentials from being reachable by others.

Everyone who has read the documentation can log in as a demo user. Therefore the service refuses to expose the demo
beyond this machine, unless CONNECTOR_ALLOW_DEMO is set.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable

from service.credentials import token_hash
from service.domain.networks import is_loopback
from service.errors import ConfigurationError
from service.settings import Settings

ADMIN_TOKEN = "xS8jnLS2YzVy-_w8T_S0WnQm5SnADjACa7gbXmcOcLY"  # noqa: S105 - public, from the contract's example
ADMIN_TOKEN_HASH = token_hash(ADMIN_TOKEN)
UIDS = ("6vHSSqdBHdm2R4gfi", "ByehQjC44FwMeiLbX", "Sq7mWdXk3nPzT9cRb", "hT5rLwQ8vKz2fYj6N", "aB4cDeF6gH8jKmN9p")


def find_exposure(settings: Settings, bound: Iterable[str] = ()) -> str | None:
    """Say how other machines can reach the service; None if they cannot.

    `bound` holds the addresses on which it listens already; by default the host in the settings counts. A container
    listens on all addresses, so there CONNECTOR_PUBLISHED_ON decides.
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
    """Raise ConfigurationError if the service is exposed. For use where the demo data exists or will exist."""
    if (exposure := find_forbidden_exposure(settings, bound)) is not None:
        raise exposure_error(exposure)


def find_forbidden_exposure(settings: Settings, bound: Iterable[str] = ()) -> str | None:
    """Return the exposure, unless the settings allow an exposed demo."""
    return None if settings.allow_demo else find_exposure(settings, bound)


def exposure_error(exposure: str) -> ConfigurationError:
    """Build the error message for an operator."""
    return ConfigurationError(
        f"the demo's people and token are public, and others can reach this service: {exposure}. Start with an empty "
        "database, or keep to 127.0.0.1 without a proxy, or set CONNECTOR_ALLOW_DEMO=true"
    )


def _is_loopback(host: str) -> bool:
    """Return whether all addresses of a host are loopback addresses. An unresolvable host is not."""
    name = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        addresses = {str(address[0]) for *_, address in socket.getaddrinfo(name or "0.0.0.0", None)}  # noqa: S104
        return all(map(is_loopback, addresses))
    except (OSError, UnicodeError, ValueError):
        return False
