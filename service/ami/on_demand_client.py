"""One AMI connection of an account, opened on first use and kept for later uses.

A login per request would fail whenever Asterisk accepts no new connection; 50 idle connections cause that.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from time import monotonic
from typing import TypeVar

from service.ami.accounts import Account
from service.ami.client import ActionNotPermitted, AmiClient, AmiLoginRefused
from service.ami.connection import NullEvents, connect
from service.errors import CallServerUnavailable

T = TypeVar("T")

REFUSED_DELAY = 30.0
"""Seconds until the next login after a refusal, which only an operator can fix."""


class OnDemandClient:
    """The connection; its owner closes it. No task runs between uses."""

    def __init__(self, account: Account, clock: Callable[[], float] = monotonic) -> None:
        self._account = account
        self._clock = clock
        self._exit_stack = contextlib.AsyncExitStack()
        self._connection: AmiClient | None = None
        self._opening: asyncio.Task[AmiClient] | None = None
        self._refused: AmiLoginRefused | None = None
        self._refused_until = float("-inf")

    async def use(self, work: Callable[[AmiClient], Awaitable[T]]) -> T:
        """Run idempotent `work` with the connection; retry it once if the kept connection turns out to be dead.

        Raises CallServerUnavailable, ActionNotPermitted, and what `work` raises.
        """
        kept = self._connection
        connection = await self._current()
        try:
            return await work(connection)
        except ActionNotPermitted:
            raise
        except CallServerUnavailable as error:
            dead = connection.why_ended is not None
            connection.end(str(error))  # no response: the next request opens another one
            if not dead or connection is not kept:
                raise
        return await work(await self._current())

    async def close(self) -> None:
        """Close the connection, and cancel one that is being opened."""
        if self._opening is not None:
            self._opening.cancel()
            await asyncio.wait([self._opening])
        await self._exit_stack.aclose()

    async def _current(self) -> AmiClient:
        """The open connection; concurrent callers share one login. Raises CallServerUnavailable, AmiLoginRefused."""
        if self._connection is not None and self._connection.why_ended is None:
            return self._connection
        if self._refused is not None and self._clock() < self._refused_until:
            raise self._refused
        if self._opening is None:
            self._opening = asyncio.create_task(self._open(), name=f"open AMI as {self._account.username}")
            self._opening.add_done_callback(self._on_opened)
        return await asyncio.shield(self._opening)

    async def _open(self) -> AmiClient:
        await self._exit_stack.aclose()
        try:
            connection = await self._exit_stack.enter_async_context(connect(self._account, NullEvents()))
        except AmiLoginRefused as error:
            self._refused, self._refused_until = error, self._clock() + REFUSED_DELAY
            raise
        self._connection, self._refused = connection, None
        return connection

    def _on_opened(self, opening: asyncio.Task[AmiClient]) -> None:
        self._opening = None
        if not opening.cancelled():
            opening.exception()  # mark it retrieved: it may have no waiter left
