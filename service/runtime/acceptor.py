"""Taking clients from sockets on which other processes may listen too, and leaving none of them behind at the end.

asyncio's own server is not used: one that is closed drops the clients that it accepted a moment before, and it takes
all who wait at once, so that one of several workers would get them all.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Callable, Sequence

import structlog

from service.runtime.sockets import cannot_listen
from service.web.server.connection_limit import ConnectionLimit

log = structlog.get_logger(__name__)

BACKLOG = 1024
"""Clients that may wait to be accepted."""
PER_TURN, PAUSE = 4, 0.001
"""Clients taken in one turn of the loop, and the seconds that other workers have then, where more wait."""
BREATH = 0.1
"""Seconds without accepting when there is no room, no file descriptor or no memory left for a client."""

Factory = Callable[[], asyncio.Protocol]


class Acceptor:
    """Accepts on one socket, a few clients at a time; `factory` makes what talks to one.

    Where there is no room, and nobody makes any, clients wait for it in the kernel.
    """

    def __init__(self, one: socket.socket, factory: Factory, limit: ConnectionLimit) -> None:
        self._socket = one
        self._factory = factory
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._greetings: set[asyncio.Task[None]] = set()
        self._resting: asyncio.TimerHandle | None = None
        self._refused = False  # the last one that came, for want of a file or of memory

    def start(self) -> None:
        """Raises OSError when another program listens there."""
        self._socket.listen(BACKLOG)
        self._loop.add_reader(self._socket, self._some_wait)

    async def stop(self) -> None:
        """Take those whom the kernel has accepted, and refuse all others from then on."""
        if self._resting is not None:
            self._resting.cancel()
        self._loop.remove_reader(self._socket)
        with contextlib.suppress(OSError):
            while True:
                self._accept()
        self._socket.close()
        await asyncio.gather(*self._greetings)

    def _some_wait(self) -> None:
        try:
            for _ in range(PER_TURN):
                if not self._limit.has_room():
                    self._rest(BREATH)
                    return
                self._accept()
        except BlockingIOError:  # nobody waits any more
            self._refused = False
        except OSError as error:
            level = logging.DEBUG if self._refused else logging.ERROR
            log.log(level, "accept_failed", error=error.strerror)
            self._refused = True
            self._limit.make_room()
            self._rest(BREATH)
        else:
            self._rest(PAUSE)

    def _rest(self, seconds: float) -> None:
        self._loop.remove_reader(self._socket)
        self._resting = self._loop.call_later(seconds, self._loop.add_reader, self._socket, self._some_wait)

    def _accept(self) -> None:
        """Raises BlockingIOError when nobody waits, another OSError when nobody can be let in."""
        try:
            client, _ = self._socket.accept()
        except ConnectionAbortedError:  # who waited is gone
            return
        client.setblocking(False)
        greeting = self._loop.create_task(self._greet(client))
        self._greetings.add(greeting)
        greeting.add_done_callback(self._greetings.discard)

    async def _greet(self, client: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(self._factory, client)
        except OSError:  # it is gone already
            client.close()


@contextlib.asynccontextmanager
async def listening(sockets: Sequence[socket.socket], factory: Factory, limit: ConnectionLimit) -> AsyncIterator[None]:
    """Accept clients until the block ends. Raises ConfigurationError."""
    async with contextlib.AsyncExitStack() as stack:
        for one in sockets:
            listener = Acceptor(one, factory, limit)
            try:
                listener.start()
            except OSError as error:
                raise cannot_listen(*one.getsockname()[:2], error=error) from None
            stack.push_async_callback(listener.stop)
        yield
