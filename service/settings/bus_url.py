"""The URL of the bus: NATS servers, the user that logs in there, and whether the connection is encrypted."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from service.settings import database_url

DEFAULT_PORT = 4222
SCHEMES = ("nats", "tls")
FORM = "must look like nats://user@host:port or tls://user@host:port, further hosts after commas"


@dataclass(frozen=True, slots=True)
class BusAddress:
    """What a URL such as `tls://follower@nats-a,nats-b:4333` says."""

    servers: tuple[str, ...]
    """Each as `host:port`."""
    user: str | None
    tls: bool


def parse(url: str) -> BusAddress:
    """Parse a URL of the bus. Raises ValueError, without the URL's text, in which a password may be by mistake."""
    scheme, user, hosts = "", None, []
    for number, part in enumerate(url.split(",")):
        parts = urlsplit(part if "://" in part else f"{scheme}://{part}")
        if number == 0:
            scheme, user = parts.scheme, parts.username
        if scheme not in SCHEMES or parts.scheme != scheme or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(FORM)
        if parts.password is not None:
            raise ValueError("holds a password; give it as bus_password or its file")
        if number and parts.username not in (None, user):
            raise ValueError("names several users; all servers know the same")
        hosts.append(parts.netloc.rpartition("@")[2])
    try:
        found = [database_url.parse_host(host) for host in hosts]
    except ValueError as error:
        raise ValueError(str(error)) from None
    servers = tuple(str(database_url.Host(name, port or DEFAULT_PORT)) for name, port in found)
    return BusAddress(servers, unquote(user) if user else None, scheme == "tls")
