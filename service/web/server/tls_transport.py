"""TLS between the kernel's connection and `Connection`: decrypts what comes, encrypts what is written.

asyncio's own TLS transport hides how many bytes wait unsent beneath it, so `WriteBacklog` would not notice a client
that does not read (docs/decisions/0038). This one passes on each byte at once, so its unsent bytes are those of the
kernel's connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, cast

RECORD = 1 << 16
"""Bytes that are decrypted in one step, at most. A TLS record has 16 KB."""
MAX_OVERHEAD = 1 << 16
"""Bytes of TLS's own that a client may request in the life of a connection. 2,000 key updates take as many."""


class TlsTransport(asyncio.Transport, asyncio.Protocol):
    """The transport of `protocol`, and the protocol of `line`. The handshake is complete."""

    __slots__ = (
        "_closing",
        "_ended",
        "_incoming",
        "_line",
        "_outgoing",
        "_overhead",
        "_protocol",
        "_reading",
        "_tls",
        "_told_end",
    )

    def __init__(
        self,
        line: asyncio.Transport,
        tls: ssl.SSLObject,
        bios: tuple[ssl.MemoryBIO, ssl.MemoryBIO],
        protocol: asyncio.Protocol,
    ) -> None:
        super().__init__()
        self._line, self._tls, self._protocol = line, tls, protocol
        self._incoming, self._outgoing = bios
        self._overhead = 0
        self._closing = self._ended = self._told_end = False
        self._reading = True

    # As the protocol of the kernel's connection:

    def data_received(self, data: bytes) -> None:
        """Records, or parts of one."""
        self._incoming.write(data)
        self.deliver()

    def eof_received(self) -> bool:
        """The client sends no more. `protocol` decides whether to keep the connection for a pending response."""
        self._ended = True
        self.deliver()
        return True

    def pause_writing(self) -> None:
        """The client does not read what is written."""
        self._protocol.pause_writing()

    def resume_writing(self) -> None:
        """The client has read everything."""
        self._protocol.resume_writing()

    def connection_lost(self, exc: BaseException | None) -> None:
        """The client is gone."""
        self._closing = True
        self._protocol.connection_lost(cast(Exception | None, exc))

    def deliver(self) -> None:
        """Give `protocol` all that can be decrypted, unless it has paused reading."""
        while self._reading and not self._closing:
            try:
                data = self._tls.read(RECORD)
            except ssl.SSLWantReadError:
                if self._ended:
                    self._tell_end()
                break
            except ssl.SSLZeroReturnError:
                data = b""
            except ssl.SSLError:  # a forged or broken record; its alert is of no use
                self.abort()
                return
            self._overhead += self._outgoing.pending
            if not data:  # the client has closed its side
                self._tell_end()
                break
            self._protocol.data_received(data)
        self._overhead += self._outgoing.pending
        if self._overhead > MAX_OVERHEAD:
            self.abort()
        else:
            self._flush()

    def _tell_end(self) -> None:
        if not self._told_end:
            self._told_end = True
            if not self._protocol.eof_received():
                self.close()

    def _flush(self) -> None:
        if self._outgoing.pending and not self._line.is_closing():
            self._line.write(self._outgoing.read())

    # As the transport of `protocol`:

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Encrypt and send."""
        if self._closing or not data:
            return
        try:
            self._tls.write(data)
        except ssl.SSLError:
            self.abort()
            return
        self._flush()

    def close(self) -> None:
        """Send what is written and that no more comes, then close. Waits for no answer to it."""
        if self._closing:
            return
        self._closing = True
        with contextlib.suppress(ssl.SSLError):  # usually: the client has not closed its side
            self._tls.unwrap()
        self._flush()
        self._line.close()

    def abort(self) -> None:
        """Drop the connection with its unsent bytes."""
        self._closing = True
        self._line.abort()

    def is_closing(self) -> bool:
        return self._closing

    def pause_reading(self) -> None:
        self._reading = False
        self._line.pause_reading()

    def resume_reading(self) -> None:
        """Go on in the next turn of the event loop, with what is decrypted first."""
        if not self._reading:
            self._reading = True
            self._line.resume_reading()
            asyncio.get_running_loop().call_soon(self.deliver)

    def is_reading(self) -> bool:
        return self._reading and not self._closing

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        match name:
            case "sslcontext":
                return self._tls.context
            case "ssl_object":
                return self._tls
            case "peercert":
                return default
        return self._line.get_extra_info(name, default)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._line.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._line.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._line.get_write_buffer_limits()

    def can_write_eof(self) -> bool:
        return False

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._protocol

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._protocol = cast(asyncio.Protocol, protocol)
