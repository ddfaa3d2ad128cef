"""Accepts connections on sockets that other processes may share, and drains the accept queue at shutdown.

This replaces asyncio's server for two reasons. On close, that one drops connections that it has just accepted. And it
accepts all queued connections at once, so that one of several workers would get them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from service.runtime.sockets import listen_error
from service.web.server.connection_limit import ConnectionLimit

log = structlog.get_logger(__name__)

BACKLOG = 1024
"""Maximum length of the accept queue."""
MAX_ACCEPTS, ACCEPT_PAUSE = 4, 0.001
"""Connections accepted in one turn of the loop, and the pause in seconds after it, in which other workers accept."""
FULL_PAUSE = 0.1
"""Pause in seconds when the connection limit is reached, or file descriptors or memory are exhausted."""

Factory = Callable[[], asyncio.Protocol]


class Acceptor:
    """Accepts on one socket, a few connections at a time. `factory` creates a connection's protocol.

    While the limit is reached, clients wait in the kernel's accept queue.
    """

    def __init__(self, listener: socket.socket, factory: Factory, limit: ConnectionLimit) -> None:
        self._socket = listener
        self._factory = factory
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._connecting: set[asyncio.Task[None]] = set()
        self._resume: asyncio.TimerHandle | None = None
        self._failing = False  # whether the last accept failed for lack of descriptors or memory

    def start(self) -> None:
        """Begin to listen. Raises OSError when another program listens on the address."""
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._accept_some)

    async def stop(self) -> None:
        """Drain the accept queue, then close the listening socket."""
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._socket)
        with contextlib.suppress(OSError):
            while True:
                self._accept()
        self._socket.close()
        await asyncio.gather(*self._connecting)

    def _accept_some(self) -> None:
        try:
            for _ in range(MAX_ACCEPTS):
                if not self._limit.has_room():
                    self._pause(FULL_PAUSE)
                    return
                self._accept()
        except BlockingIOError:  # the queue is empty
            self._failing = False
        except OSError as error:
            level = logging.DEBUG if self._failing else logging.ERROR
            log.log(level, "accept_failed", error=error.strerror)
            self._failing = True
            self._limit.make_room()
            self._pause(FULL_PAUSE)
        else:
            self._pause(ACCEPT_PAUSE)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._resume = self._loop.call_later(seconds, self._loop.add_reader, self._socket, self._accept_some)

    def _accept(self) -> None:
        """Accept one connection. Raises BlockingIOError if the queue is empty, another OSError if accepting fails."""
        try:
            client, _ = self._socket.accept()
        except ConnectionAbortedError:  # the client has closed it
            return
        client.setblocking(False)
        connecting = self._loop.create_task(self._connect(client))
        self._connecting.add(connecting)
        connecting.add_done_callback(self._connecting.discard)

    async def _connect(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, client)
        except OSError:  # the client has closed it
            client.close()


@contextlib.asynccontextmanager
async def accept_connections(
    sockets: Sequence[socket.socket], factory: Factory, limit: ConnectionLimit
) -> AsyncIterator[None]:
    """Accept connections until the block ends. Raises ConfigurationError."""
    async with contextlib.AsyncExitStack() as stack:
        for listener in sockets:
            acceptor = Acceptor(listener, factory, limit)
            try:
                acceptor.start()
            except OSError as error:
                raise listen_error(*listener.getsockname()[:2], error=error) from None
            stack.push_async_callback(acceptor.stop)
        yield
