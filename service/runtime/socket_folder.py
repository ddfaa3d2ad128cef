"""The bus on one machine: a Unix socket per collector, in a folder that only this user may enter.

A frame is its length in four bytes, then msgpack of a call server's name and the body. Each connection has its own
bound: what does not fit behind a slow reader is dropped for that one alone, which then sees a gap.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import msgspec

from service.bus.port import MAX_BODY
from service.errors import ConfigurationError

SCAN_INTERVAL = 0.1
"""Seconds between two looks for new collectors."""
MAX_UNSENT = 8 * 2**20
"""Bytes that may wait for one reader."""
MAX_FRAME = MAX_BODY + 1024
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - for a container without a writable /tmp; the folder is made with mkdtemp
SUFFIX = ".sock"
_LENGTH = 4


@contextlib.contextmanager
def socket_folder() -> Iterator[str]:
    """Make the folder, of mode 0700, until the block ends. Raises ConfigurationError if no file system takes it."""
    with contextlib.ExitStack() as stack:
        folder: str | None = None
        for root in (None, SHARED_MEMORY):
            if folder is None:
                with contextlib.suppress(OSError):
                    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="asterisk-connector-", dir=root))
        if folder is None:
            raise ConfigurationError("several workers need a folder for their sockets: make /tmp or /dev/shm writable")
        yield folder


class _Frame(msgspec.Struct, array_like=True):
    call_server: str
    body: bytes


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Frame)


class _Connection(asyncio.Protocol):
    """One connection, at either end. A frame that is none ends it."""

    def __init__(
        self, received: Callable[[_Connection, str, bytes], None], ended: Callable[[_Connection], None]
    ) -> None:
        self._received = received
        self._ended = ended
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()

    @property
    def ended(self) -> bool:
        """Whether the connection has ended, or was never made."""
        return self._transport is None

    def send(self, call_server: str, body: bytes) -> None:
        """Send a frame, unless too much waits already."""
        transport = self._transport
        if transport is None or transport.is_closing() or transport.get_write_buffer_size() > MAX_UNSENT:
            return
        frame = _encoder.encode(_Frame(call_server, body))
        transport.write(len(frame).to_bytes(_LENGTH) + frame)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are of no class of asyncio

    def connection_lost(self, _: Exception | None) -> None:
        self._transport = None
        self._ended(self)

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        start = 0
        while len(buffer) - start >= _LENGTH:
            length = int.from_bytes(buffer[start : start + _LENGTH])
            if length > MAX_FRAME:
                self.close()
                return
            if len(buffer) - start < _LENGTH + length:
                break
            start += _LENGTH
            try:
                frame = _decoder.decode(memoryview(buffer)[start : start + length])
            except msgspec.DecodeError:
                self.close()
                return
            start += length
            self._received(self, frame.call_server, frame.body)
        del buffer[:start]


class FolderCollectorPort:
    """A collector's end: see `CollectorPort`. `name` is its id, and the name of its socket."""

    def __init__(self, folder: Path, name: str) -> None:
        self.received: Callable[[str, str, bytes], None] = _nobody
        self._path = folder / f"{name}{SUFFIX}"
        self._numbers = itertools.count(1)
        self._followers: dict[str, _Connection] = {}
        self._addresses: dict[_Connection, str] = {}

    def publish(self, call_server: str, body: bytes) -> None:
        for connection in self._followers.values():
            connection.send(call_server, body)

    def send(self, to: str, call_server: str, body: bytes) -> None:
        if (connection := self._followers.get(to)) is not None:
            connection.send(call_server, body)

    async def run(self) -> None:
        server = await asyncio.get_running_loop().create_unix_server(self._accept, str(self._path))
        try:
            await asyncio.Event().wait()
        finally:
            server.close()
            for connection in list(self._followers.values()):
                connection.close()
            self._path.unlink(missing_ok=True)

    def _accept(self) -> _Connection:
        connection = _Connection(self._hear, self._forget)
        address = str(next(self._numbers))
        self._followers[address], self._addresses[connection] = connection, address
        return connection

    def _hear(self, connection: _Connection, call_server: str, body: bytes) -> None:
        self.received(call_server, self._addresses[connection], body)

    def _forget(self, connection: _Connection) -> None:
        del self._followers[self._addresses.pop(connection)]


class FolderFollowerPort:
    """A follower's end: see `FollowerPort`. It connects to every collector of the folder."""

    def __init__(self, folder: Path) -> None:
        self.received: Callable[[str, str, bytes], None] = _nobody
        self.lost: Callable[[str | None], None] = _nobody
        self._folder = folder
        self._collectors: dict[str, _Connection] = {}
        self._names: dict[_Connection, str] = {}

    def send(self, call_server: str, body: bytes, to: str | None = None) -> None:
        for name, connection in self._collectors.items():
            if to in (None, name):
                connection.send(call_server, body)

    async def run(self) -> None:
        try:
            while True:
                for path in sorted(self._folder.glob(f"*{SUFFIX}")):
                    if path.stem not in self._collectors:
                        with contextlib.suppress(OSError):  # it starts, or was killed
                            await self._connect(path)
                await asyncio.sleep(SCAN_INTERVAL)
        finally:
            for connection in list(self._collectors.values()):
                connection.close()

    async def _connect(self, path: Path) -> None:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_unix_connection(lambda: _Connection(self._hear, self._end), str(path))
        if not connection.ended:  # else nobody tells of its end any more, and the collector would not be tried again
            self._collectors[path.stem], self._names[connection] = connection, path.stem

    def _hear(self, connection: _Connection, call_server: str, body: bytes) -> None:
        if (name := self._names.get(connection)) is not None:
            self.received(call_server, name, body)

    def _end(self, connection: _Connection) -> None:
        if (name := self._names.pop(connection, None)) is not None:
            del self._collectors[name]
            self.lost(name)


def _nobody(*_: object) -> None:
    """The callback until the core sets one."""
