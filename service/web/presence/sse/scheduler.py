"""How many streams are open in this process, and whose turn it is to write."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from aiohttp import web

PER_TURN = 20
"""Streams that write in one turn of the loop: everybody else gets their turns between."""
HEARTBEAT_AFTER = 22.5
"""Seconds that a stream is silent at least: proxies close connections on which nothing is said for 30 or 60."""
BEAT = 2.5
"""Seconds between two looks at who is silent: one timer for all, as waking up costs more than what is done then."""


class Stream(Protocol):
    """An open stream, as it is seen from here. Neither call waits."""

    wrote_at: float

    def arrived(self) -> None:
        """It has to say something, if only that it is alive: it asks for a turn when it can write."""

    def write(self) -> None:
        """It is its turn."""


class StreamScheduler:
    """Counts the open streams and lets them write, a few at a time, first come first served.

    So the flush adapts itself: while nothing waits, a change is written at once; the more there is to write, the longer
    each stream waits for its turn, and the more changes it finds then to write as one.
    """

    def __init__(self) -> None:
        self._open: set[Stream] = set()
        self._waiting: deque[Stream] = deque()
        self._turning = False
        self._beating: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def begin(self, stream: Stream) -> None:
        """From now on it may ask for turns."""
        loop = asyncio.get_running_loop()
        stream.wrote_at = loop.time()
        self._open.add(stream)
        if self._beating is None:
            self._beating = loop.call_later(BEAT, self._beat)

    def end(self, stream: Stream) -> None:
        """It gets no turn any more."""
        self._open.remove(stream)
        if not self._open and self._beating is not None:
            self._beating.cancel()
            self._beating = None

    def ask(self, stream: Stream) -> None:
        """This one has something to write: it gets its turn, at once unless many want to."""
        self._waiting.append(stream)
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        """Let the next few write, and then others of the loop have their turns."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(min(PER_TURN, len(self._waiting))):
            stream = self._waiting.popleft()
            if stream in self._open:
                stream.write()
                stream.wrote_at = now
        self._turning = bool(self._waiting)
        if self._turning:
            loop.call_soon(self._turn)

    def _beat(self) -> None:
        """Those who were silent for long say that they are alive."""
        loop = asyncio.get_running_loop()
        silent_since = loop.time() - HEARTBEAT_AFTER
        for stream in self._open:
            if stream.wrote_at <= silent_since:
                stream.arrived()
        self._beating = loop.call_later(BEAT, self._beat)


STREAM_SCHEDULER = web.AppKey("streams", StreamScheduler)
