"""The sockets on which clients come. Whoever opens them owns them; workers inherit them as numbers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from service.errors import ConfigurationError
from service.settings import Settings
from service.settings.hosts import authority

_NOT_HERE = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


@dataclass(frozen=True)
class Sockets:
    """Bound and not yet listening: until somebody is ready to answer, a client is refused and goes elsewhere."""

    public: list[socket.socket]
    operators: list[socket.socket]

    @classmethod
    def opened(cls, settings: Settings) -> Sockets:
        """Those that the settings name. Raises ConfigurationError."""
        public = _bound(settings.http_host, settings.http_port)
        port = settings.metrics_port
        return cls(public, _bound(settings.http_host, port) if port is not None else [])

    @classmethod
    def inherited(cls, public: Iterable[int], operators: Iterable[int]) -> Sockets:
        """Those that the parent opened."""
        return cls([socket.socket(fileno=number) for number in public], [socket.socket(fileno=n) for n in operators])

    def close(self) -> None:
        """Give up this process's hold on them. Clients are refused once no process has one."""
        for one in (*self.public, *self.operators):
            one.close()


def _bound(host: str, port: int) -> list[socket.socket]:
    """One per address of the host, which may have both kinds."""
    found: list[socket.socket] = []
    missing: OSError | None = None
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in addresses):
            try:
                found.append(_bound_to(family, address))
            except OSError as error:
                if error.errno not in _NOT_HERE:
                    raise
                missing = error
        if not found and missing is not None:
            raise missing
    except OSError as error:
        for one in found:
            one.close()
        raise cannot_listen(host, port, error=error) from None
    return found


def _bound_to(family: int, address: tuple[object, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.setblocking(False)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def cannot_listen(host: object, port: object, *, error: OSError) -> ConfigurationError:
    """What an operator is told."""
    return ConfigurationError(f"cannot listen on {authority(str(host))}:{port}: {error.strerror}")
