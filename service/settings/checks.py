"""Checks of several settings together. A message begins with the name of the setting that is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from service.settings import bus_url, database_url

if TYPE_CHECKING:
    from service.settings.settings import Settings


def check_database_urls(settings: Settings) -> Settings:
    """Raises ValueError."""
    for name in ("database_url", "owner_database_url"):
        text = getattr(settings, name) or ""
        url = urlsplit(text)
        if text and url.scheme not in ("postgresql", "postgres"):
            raise ValueError(f"{name} must look like postgresql://user@host:port/database")
        if url.password or "password" in parse_qs(url.query):
            raise ValueError(f"{name} holds a password; give it as {name.replace('url', 'password')} or its file")
        try:
            database_url.hosts(text), database_url.target(text)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None
    return settings


def check_bus(settings: Settings) -> Settings:
    """Raises ValueError."""
    if settings.bus_url is None:
        for name in ("bus_role", "bus_ca_file", "bus_certificate_file", "bus_key_file"):
            if getattr(settings, name) is not None:
                raise ValueError(f"{name}: is given without bus_url")
        return settings
    if settings.bus_role is None:
        raise ValueError("bus_role: is needed with bus_url: collector or follower")
    try:
        address = bus_url.parse(settings.bus_url)
    except ValueError as error:
        raise ValueError(f"bus_url: {error}") from None
    if address.user is not None and settings.bus_password is None:
        raise ValueError("bus_password: is needed, because bus_url names a user")
    if not address.tls and (settings.bus_ca_file or settings.bus_certificate_file):
        raise ValueError("bus_url: begins with nats://, so no certificate is used: begin it with tls://")
    if settings.bus_key_file is not None and settings.bus_certificate_file is None:
        raise ValueError("bus_key_file: is given without bus_certificate_file")
    return settings


def check_ami_accounts(settings: Settings) -> Settings:
    """Followers need none. Raises ValueError with a line for each setting that is missing."""
    missing = [
        f"call_servers__{name}__{field}: Field required"
        for name, server in settings.call_servers.items()
        for field in ("ami_host", "monitor_secret")
        if getattr(server, field) is None
    ]
    if missing and settings.bus_role != "follower":
        raise ValueError("\n".join(missing))
    return settings
