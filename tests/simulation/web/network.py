"""The service's listening socket, as the kernel and the event loop give it to `service/runtime/acceptor.py`.

The acceptor runs unchanged: it is told by the loop that the accept queue is not empty, accepts a few connections, and
has the loop connect them. A connection that waits in the queue keeps what its client sends. The kernel takes some bytes
of what the service writes before the service notices that its client reads nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from tests.simulation.web.tap import Tap
from tests.simulation.world import World

PORT = 8080


class Kernel:
    """The part of the connector's kernel that the service's sockets use."""

    def __init__(self, world: World, made: Callable[[Any], Tap], buffer: int) -> None:
        """`made` gets the transport of each connection that is accepted; `buffer`: bytes that a connection takes."""
        self._made = made
        self._buffer = buffer
        self._readers: dict[ListeningSocket, tuple[Callable[..., object], tuple[object, ...]]] = {}
        self._loop: Any = world._loop
        self._loop.net.set_flow_control()
        self._loop.add_reader = self._add_reader
        self._loop.remove_reader = self._remove_reader
        self._loop.connect_accepted_socket = self._connect

    def _add_reader(self, socket: ListeningSocket, callback: Callable[..., object], *args: object) -> None:
        self._readers[socket] = callback, args
        self.notify(socket)

    def _remove_reader(self, socket: ListeningSocket) -> None:
        self._readers.pop(socket, None)

    def notify(self, socket: ListeningSocket) -> None:
        """Call the reader of a socket in a turn of the loop, again and again while its queue is not empty."""
        if socket.queue and socket in self._readers and not socket.notified:
            socket.notified = True
            self._loop.call_soon(self._ready, socket, context=contextvars.copy_context())

    def _ready(self, socket: ListeningSocket) -> None:
        socket.notified = False
        if socket.queue and socket in self._readers:
            callback, args = self._readers[socket]
            callback(*args)
            self.notify(socket)

    async def _connect(self, factory: Callable[[], asyncio.Protocol], client: _Accepted) -> None:
        """`connect_accepted_socket`. Raises ConnectionResetError if the client is gone."""
        if client.gone:
            raise ConnectionResetError
        transport, protocol = client.transport, factory()
        self._made(transport).watch(protocol)
        transport._effective_limits = lambda: tuple(self._buffer + limit for limit in transport._limits or (0, 0))
        transport.get_write_buffer_size = lambda: max(0, transport._write_buffer - self._buffer)
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        transport.resume_reading()


class ListeningSocket:
    """What the acceptor uses of a socket."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._server: asyncio.Server | None = None
        self.queue: deque[_Accepted] = deque()
        """Connections that wait to be accepted."""
        self.notified = False

    def listen(self, _backlog: int) -> None:
        loop = asyncio.get_running_loop()
        self._server = _done(loop.create_server(lambda: _Accepted(self), port=PORT))

    def accept(self) -> tuple[_Accepted, object]:
        """Raises BlockingIOError if nobody waits, ConnectionAbortedError if the first one has gone meanwhile."""
        if not self.queue:
            raise BlockingIOError
        client = self.queue.popleft()
        if client.gone:
            raise ConnectionAbortedError
        return client, client.transport.get_extra_info("peername")

    def close(self) -> None:
        """Refuse new connections, and reset those that nobody has accepted."""
        if self._server is not None:
            self._server.close()
        for client in self.queue:
            client.close()
        self.queue.clear()

    def getsockname(self) -> tuple[str, int]:
        return "connector", PORT

    def arrived(self, client: _Accepted) -> None:
        self.queue.append(client)
        self._kernel.notify(self)


class _Accepted(asyncio.Protocol):
    """A connection that is not the service's yet."""

    transport: Any

    def __init__(self, socket: ListeningSocket) -> None:
        self._socket = socket
        self.gone = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.transport.pause_reading()
        self._socket.arrived(self)

    def connection_lost(self, _: Exception | None) -> None:
        self.gone = True

    def setblocking(self, _: bool) -> None: ...

    def close(self) -> None:
        if not self.gone:
            self.transport.abort()


def _done(work: Coroutine[Any, Any, asyncio.Server]) -> asyncio.Server:
    """The result of a coroutine that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as ended:
        result: asyncio.Server = ended.value
        return result
    raise AssertionError("it waits")
