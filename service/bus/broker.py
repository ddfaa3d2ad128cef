"""A NATS server or cluster, and how a process logs in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from service.errors import Unavailable
from service.settings import Settings, bus_url


@dataclass(frozen=True, slots=True)
class Broker:
    """Servers as `host:port`, and the login: a user with a password, a token (a secret without a user), or neither."""

    servers: tuple[str, ...]
    user: str | None = None
    secret: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> Broker | None:
        """The bus of the settings; None without one."""
        if settings.bus_url is None:
            return None
        address, password = bus_url.parse(settings.bus_url), settings.bus_password
        return cls(
            address.servers,
            address.user,
            None if password is None else password.get_secret_value(),
            address.tls,
            settings.bus_ca_file,
            settings.bus_certificate_file,
            settings.bus_key_file,
        )


class BrokerUnavailable(Unavailable):
    """No server of the bus can be reached, or the connection has ended."""


class BrokerRefused(BrokerUnavailable):
    """A server of the bus refuses the login, or its certificate is not trusted: an operator is needed."""
