"""One AMI connection of an account, opened when somebody first needs it, and kept for whoever comes next.

A login for each request would fail whenever Asterisk lets nobody new in: 50 idle connections are enough for that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from service.ami.client import Account, ActionNotPermitted, AmiClient, AmiLoginRefused, NullEvents, connected
from service.errors import CallServerUnavailable

T = TypeVar("T")

REFUSED_DELAY = 30.0
"""Seconds until the next login after a refusal, which only an operator can mend."""


class PersistentClient:
    """Its owner closes it. Nothing in here runs while nobody asks."""

    def __init__(self, account: Account, clock: Callable[[], float] = monotonic) -> None:
        self._account = account
        self._clock = clock
        self._lines = contextlib.AsyncExitStack()
        self._connection: AmiClient | None = None
        self._opening: asyncio.Task[AmiClient] | None = None
        self._refused: AmiLoginRefused | None = None
        self._refused_until = float("-inf")

    async def use(self, work: Callable[[AmiClient], Awaitable[T]]) -> T:
        """Do something that may be done twice: once more where the kept connection turns out to be gone.

        Raises CallServerUnavailable, NotPermitted, and what the work raises.
        """
        kept = self._connection
        connection = await self._current()
        try:
            return await work(connection)
        except ActionNotPermitted:
            raise
        except CallServerUnavailable as error:
            gone = connection.why_ended is not None
            connection.end(str(error))  # it did not answer: the next request gets another one
            if not gone or connection is not kept:
                raise
        return await work(await self._current())

    async def close(self) -> None:
        """End it, and what is being opened."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._lines.aclose()

    async def _current(self) -> AmiClient:
        """The connection; all who need a new one wait for the same. Raises CallServerUnavailable, LoginRefused."""
        if self._connection is not None and self._connection.why_ended is None:
            return self._connection
        if self._refused is not None and self._clock() < self._refused_until:
            raise self._refused
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name=f"open AMI as {self._account.username}")
            self._opening.add_done_callback(self._opened)
        return await asyncio.shield(self._opening)

    async def _open(self) -> AmiClient:
        await self._lines.aclose()
        try:
            connection = await self._lines.enter_async_context(connected(self._account, NullEvents()))
        except AmiLoginRefused as error:
            self._refused, self._refused_until = error, self._clock() + REFUSED_DELAY
            raise
        self._connection, self._refused = connection, None
        return connection

    def _opened(self, opening: asyncio.Task[AmiClient]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # perhaps nobody waits any more; that is no error
