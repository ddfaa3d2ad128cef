"""Waiting within an answer that takes long: until something arrives, the answer has to end, or time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from service.web.server.connection_bounds import connection_of

LAST_WORDS = 1.0
"""Seconds that a write may still take once the answer has to end."""


class Waiter:
    """One per answer. `arrived` and `end` are called by others, and never wait."""

    __slots__ = ("_arrived", "_waiting", "_writing", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._arrived = False
        self._waiting: asyncio.Future[None] | None = None
        self._writing: asyncio.Timeout | None = None

    def arrived(self) -> None:
        """There is something to look at."""
        self._arrived = True
        self._wake()

    def end(self) -> None:
        """The answer has to end: its token did, or the process stops."""
        self.ended = True
        self.arrived()
        if self._writing is not None:
            self._hasten(self._writing)

    async def wait(self, within: float | None = None) -> None:
        """Return once something arrived since the last wait, the answer has to end, or so many seconds have passed."""
        if not self._arrived:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(within, self._wake) if within is not None else None
            try:
                await self._waiting
            finally:
                if timer is not None:
                    timer.cancel()
                self._waiting = None
        self._arrived = self.ended

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    @contextmanager
    def writing(self, deadline: asyncio.Timeout) -> Iterator[None]:
        """While the block lasts, `end` leaves it LAST_WORDS at most. Inside of the `async with` of the deadline."""
        self._writing = deadline
        if self.ended:
            self._hasten(deadline)
        try:
            yield
        finally:
            self._writing = None

    @staticmethod
    def _hasten(deadline: asyncio.Timeout) -> None:
        soon = asyncio.get_running_loop().time() + LAST_WORDS
        when = deadline.when()
        if not deadline.expired() and (when is None or when > soon):
            deadline.reschedule(soon)


@contextmanager
def while_connected(request: web.Request, ended: Callable[[], None]) -> Iterator[None]:
    """While the block lasts, `ended` is called once the client is gone."""
    connection = connection_of(request)
    connection.tell_lost(ended)
    try:
        yield
    finally:
        connection.tell_lost(None)
