"""AMI accounts, as the settings of a call server name them."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

from service.errors import CallServerUnavailable, ConfigurationError
from service.settings import CallServer


@dataclass(frozen=True, slots=True)
class Account:
    """An AMI account and where it logs in."""

    host: str
    port: int
    username: str
    secret: str = field(repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)

    @classmethod
    def monitor(cls, server: CallServer) -> Account:
        """The account that follows states and events. Raises NoAccount."""
        if server.monitor_secret is None:
            raise NoAccount
        return cls._from_settings(server, server.monitor_username, server.monitor_secret.get_secret_value())

    @classmethod
    def sync(cls, server: CallServer) -> Account | None:
        """The account that has Asterisk reload an endpoint, if configured."""
        if server.sync_secret is None:
            return None
        return cls._from_settings(server, server.sync_username, server.sync_secret.get_secret_value())

    @classmethod
    def credentials(cls, server: CallServer) -> Account | None:
        """The account that reads the endpoints of an imported call server, if configured."""
        if server.credentials_secret is None:
            return None
        return cls._from_settings(server, server.credentials_username, server.credentials_secret.get_secret_value())

    @classmethod
    def presence(cls, server: CallServer) -> Account | None:
        """The account that sets presence, if configured."""
        if server.presence_secret is None:
            return None
        return cls._from_settings(server, server.presence_username, server.presence_secret.get_secret_value())

    @classmethod
    def _from_settings(cls, server: CallServer, username: str, secret: str) -> Account:
        if server.ami_host is None:
            raise NoAccount
        tls = _tls_context(server) if server.ami_tls else None
        return cls(server.ami_host, server.ami_port, username, secret, tls)


class NoAccount(CallServerUnavailable):
    """This process follows collectors: it has no AMI account of its own."""

    def __init__(self) -> None:
        super().__init__("this process has no AMI account: collectors of the bus have")


def _tls_context(server: CallServer) -> ssl.SSLContext:
    """Raises ConfigurationError if the CA file cannot be read."""
    try:
        return ssl.create_default_context(cafile=server.ami_ca_file)
    except OSError as error:  # SSLError is a subclass
        raise ConfigurationError(f"ami_ca_file {server.ami_ca_file} cannot be used: {error}") from None
