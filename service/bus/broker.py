"""A NATS server or cluster, and how a process logs in there."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from service.errors import Unavailable


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


class BrokerUnavailable(Unavailable):
    """No server of the bus can be reached, or the connection has ended."""


class BrokerRefused(BrokerUnavailable):
    """A server of the bus refuses the login, or its certificate is not trusted: an operator is needed."""
