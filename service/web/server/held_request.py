"""Waits within a long poll or stream: until news arrives, the response has to end, or the time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from aiohttp import web

from service.web.server.connection_bounds import connection_of

FINAL_WRITE_DEADLINE = 1.0
"""Seconds for a write once the response has to end."""


class Waiter:
    """The waiter of one response. Other tasks call `on_news` and `end`, which never wait."""

    __slots__ = ("_has_news", "_waiting", "_writing", "ended")

    def __init__(self) -> None:
        self.ended = False
        self._has_news = False
        self._waiting: asyncio.Future[None] | None = None
        self._writing: asyncio.Timeout | None = None

    def on_news(self) -> None:
        """Wake the handler: something changed."""
        self._has_news = True
        self._wake()

    def end(self) -> None:
        """End the response: its token has ended, or the process stops."""
        self.ended = True
        self.on_news()
        if self._writing is not None:
            self._shorten(self._writing)

    async def wait(self, within: float | None = None) -> None:
        """Return when there was news since the last wait, the response has to end, or `within` seconds have passed."""
        if not self._has_news:
            loop = asyncio.get_running_loop()
            self._waiting = loop.create_future()
            timer = loop.call_later(within, self._wake) if within is not None else None
            try:
                await self._waiting
            finally:
                if timer is not None:
                    timer.cancel()
                self._waiting = None
        self._has_news = self.ended

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    @contextmanager
    def writing(self, deadline: asyncio.Timeout) -> Iterator[None]:
        """Within the block, `end` shortens `deadline` to FINAL_WRITE_DEADLINE. Use it inside the deadline's block."""
        self._writing = deadline
        if self.ended:
            self._shorten(deadline)
        try:
            yield
        finally:
            self._writing = None

    @staticmethod
    def _shorten(deadline: asyncio.Timeout) -> None:
        soon = asyncio.get_running_loop().time() + FINAL_WRITE_DEADLINE
        when = deadline.when()
        if not deadline.expired() and (when is None or when > soon):
            deadline.reschedule(soon)


@contextmanager
def while_connected(request: web.Request, ended: Callable[[], None]) -> Iterator[None]:
    """Within the block, call `ended` when the client is gone."""
    connection = connection_of(request)
    connection.notify_lost(ended)
    try:
        yield
    finally:
        connection.notify_lost(None)
