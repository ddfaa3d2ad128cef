"""An AMI line that counts what Asterisk is asked on it, and can be cut."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.cutter import Cutter, cutting


class CountingProxy:
    """The line, from another thread than the one that forwards it."""

    def __init__(self, loop: asyncio.AbstractEventLoop, cutter: Cutter) -> None:
        self._loop = loop
        self._cutter = cutter
        self.port = cutter.port

    def cut(self) -> None:
        """Break it now; whoever connects anew is counted from the beginning."""

        async def cut() -> None:
            self._cutter.cut()

        asyncio.run_coroutine_threadsafe(cut(), self._loop).result()

    def actions(self) -> Counter[str]:
        """How often each action was asked for since the last connection was made, pings left out."""

        async def actions() -> Counter[str]:
            return self._cutter.actions()

        return asyncio.run_coroutine_threadsafe(actions(), self._loop).result()


@contextmanager
def counted(target: int) -> Iterator[CountingProxy]:
    """A line to a port of this machine, until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = cutting(target)
    cutter = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result()
    try:
        yield CountingProxy(loop, cutter)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
