"""Listening sockets. The process that opens them owns them; workers inherit them as file descriptors."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from service.errors import ConfigurationError
from service.settings import Settings
from service.settings.hosts import authority

_UNAVAILABLE_ADDRESS = {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}


@dataclass(frozen=True)
class Sockets:
    """Bound sockets that do not listen yet: until a process is ready, clients are refused and try another replica."""

    public: list[socket.socket]
    operators: list[socket.socket]

    @classmethod
    def open(cls, settings: Settings) -> Sockets:
        """Open the sockets of the settings. Raises ConfigurationError."""
        public = _bind(settings.http_host, settings.http_port)
        port = settings.metrics_port
        return cls(public, _bind(settings.http_host, port) if port is not None else [])

    @classmethod
    def inherited(cls, public: Iterable[int], operators: Iterable[int]) -> Sockets:
        """Adopt the sockets that the parent opened, by file descriptor."""
        return cls([socket.socket(fileno=number) for number in public], [socket.socket(fileno=n) for n in operators])

    def close(self) -> None:
        """Close this process's descriptors. Clients are refused once all processes have closed theirs."""
        for listener in (*self.public, *self.operators):
            listener.close()


def _bind(host: str, port: int) -> list[socket.socket]:
    """Bind one socket per address of the host, which may have IPv4 and IPv6 addresses."""
    bound: list[socket.socket] = []
    unavailable: OSError | None = None
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, address in dict.fromkeys((family, address) for family, _, _, _, address in addresses):
            try:
                bound.append(_bind_address(family, address))
            except OSError as error:
                if error.errno not in _UNAVAILABLE_ADDRESS:
                    raise
                unavailable = error
        if not bound and unavailable is not None:
            raise unavailable
    except OSError as error:
        for listener in bound:
            listener.close()
        raise listen_error(host, port, error=error) from None
    return bound


def _bind_address(family: int, address: tuple[object, ...]) -> socket.socket:
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.setblocking(False)
        listener.bind(address)
    except OSError:
        listener.close()
        raise
    return listener


def listen_error(host: object, port: object, *, error: OSError) -> ConfigurationError:
    """Build the error message for an operator."""
    return ConfigurationError(f"cannot listen on {authority(str(host))}:{port}: {error.strerror}")
