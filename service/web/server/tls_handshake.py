"""The handshake of a client on the HTTPS port. Until it is complete nothing of the HTTP server knows of the client.

A handshake has a deadline, and counts as an idle connection for `ConnectionLimit`: clients that begin one and stop
take no place from others (docs/decisions/0038).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from typing import cast

from service.web.server.certificate import ServedCertificate
from service.web.server.connection_limit import ConnectionLimit
from service.web.server.deadlines import Deadlines
from service.web.server.tls_transport import TlsTransport

HANDSHAKE_DEADLINE = 10.0
"""Seconds from the connection to the end of its handshake."""
_TEXT = b"This port speaks HTTPS: the URL begins with https://\n"
NOT_TLS = (
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%b"
    % (len(_TEXT), _TEXT)
)
"""The response to HTTP without TLS."""


class TlsServer:
    """Makes a handshake for each client, then a connection by `factory`."""

    def __init__(
        self, certificate: ServedCertificate, limit: ConnectionLimit, factory: Callable[[], asyncio.Protocol]
    ) -> None:
        self.certificate, self.limit, self.factory = certificate, limit, factory
        self.deadlines: Deadlines[TlsHandshake] = Deadlines(HANDSHAKE_DEADLINE, TlsHandshake.on_late)
        self.under_way: set[TlsHandshake] = set()

    def __call__(self) -> TlsHandshake:
        return TlsHandshake(self)

    def end_handshakes(self) -> None:
        """Close the clients whose handshake is under way, at shutdown."""
        for handshake in [*self.under_way]:
            handshake.force_close()


class TlsHandshake(asyncio.Protocol):
    """A client whose handshake is under way."""

    __slots__ = ("_bios", "_line", "_paused", "_server", "_since", "_tls", "number", "place")

    def __init__(self, server: TlsServer) -> None:
        self._server = server
        self._bios = incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = server.certificate.context.wrap_bio(incoming, outgoing, server_side=True)
        self._since, self._paused = asyncio.get_running_loop().time(), False
        self.place, self.number = "", -1  # for `ConnectionLimit`

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new client."""
        self._line = cast(asyncio.Transport, transport)
        self._line.set_write_buffer_limits(high=0)
        peer = transport.get_extra_info("peername")
        self.place = self._server.limit.place_of(str((peer or ("",))[0]))
        self._server.limit.add(self)
        self._server.under_way.add(self)
        self._server.deadlines.start(self)

    def data_received(self, data: bytes) -> None:
        """Bytes of the handshake, perhaps with the first request behind them."""
        incoming, outgoing = self._bios
        incoming.write(data)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            self._line.write(outgoing.read())
        except ssl.SSLError as error:
            self._server.certificate.failed_handshakes += 1
            self._line.write(NOT_TLS if error.reason == "HTTP_REQUEST" else outgoing.read())
            self._line.close()
        else:
            self._line.write(outgoing.read())
            self._serve()

    def _serve(self) -> None:
        self._forget()
        protocol = self._server.factory()
        transport = TlsTransport(self._line, self._tls, self._bios, protocol)
        self._line.set_protocol(transport)
        protocol.connection_made(transport)
        if self._paused:
            transport.pause_writing()
        transport.deliver()

    def _forget(self) -> None:
        self._server.limit.remove(self)
        self._server.deadlines.cancel(self)
        self._server.under_way.discard(self)

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone, or was closed."""
        self._forget()

    def idle_since(self) -> float | None:
        """For `ConnectionLimit`."""
        return self._since

    def on_late(self) -> None:
        """The handshake was not complete within its deadline."""
        self._server.certificate.failed_handshakes += 1
        self.force_close()

    def force_close(self) -> None:
        """Close now."""
        self._line.abort()
