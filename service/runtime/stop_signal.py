"""The request to stop a process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from service.runtime import signals


class StopSignal:
    """The request to stop this process: by a signal, the parent's end, or a failed task."""

    def __init__(self) -> None:
        self._event = asyncio.Event()
        self._block: asyncio.Timeout | None = None
        for number in signals.SHUTDOWN:
            asyncio.get_running_loop().add_signal_handler(number, self.set)

    @property
    def requested(self) -> bool:
        return self._event.is_set()

    def set(self) -> None:
        if not self.requested and self._block is not None:
            self._block.reschedule(asyncio.get_running_loop().time())
        self._event.set()

    async def wait(self) -> None:
        await self._event.wait()

    @contextlib.asynccontextmanager
    async def interrupts(self) -> AsyncIterator[None]:
        """Leave the block when a stop is requested, as a start may wait long for PostgreSQL."""
        try:
            async with asyncio.timeout(None) as self._block:
                yield
        except TimeoutError:
            if not self.requested:
                raise
        finally:
            self._block = None
