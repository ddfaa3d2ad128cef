"""Schedules the writes of all open streams of this process."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

from aiohttp import web

STREAMS_PER_TURN = 20
"""Streams that write in one turn of the event loop; other tasks run in between."""
HEARTBEAT_AFTER = 22.5
"""Seconds of silence before a heartbeat: proxies close connections after 30 or 60 idle seconds."""
HEARTBEAT_CHECK_INTERVAL = 2.5
"""Seconds between two checks for silent streams. One timer serves all: waking up costs more than the check."""


class Stream(Protocol):
    """An open stream. Neither method may wait."""

    wrote_at: float

    def on_news(self) -> None:
        """A heartbeat is due: the stream requests a turn when it can write."""

    def write(self) -> None:
        """Write in this turn."""


class StreamScheduler:
    """Lets open streams write in turns, a few at a time, first come first served.

    Batching adapts to the load: an idle scheduler writes a change immediately. The more there is to write, the longer a
    stream waits for its turn, and the more changes it then writes at once.
    """

    def __init__(self) -> None:
        self._open: dict[Stream, None] = {}
        """In the order in which they were opened, in which heartbeats are requested."""
        self._waiting: deque[Stream] = deque()
        self._turn_scheduled = False
        self._heartbeat_timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._open)

    def add(self, stream: Stream) -> None:
        """Register an open stream."""
        loop = asyncio.get_running_loop()
        stream.wrote_at = loop.time()
        self._open[stream] = None
        if self._heartbeat_timer is None:
            self._heartbeat_timer = loop.call_later(HEARTBEAT_CHECK_INTERVAL, self._send_heartbeats)

    def remove(self, stream: Stream) -> None:
        """Unregister it: it gets no more turns."""
        del self._open[stream]
        if not self._open and self._heartbeat_timer is not None:
            self._heartbeat_timer.cancel()
            self._heartbeat_timer = None

    def request_turn(self, stream: Stream) -> None:
        """Queue a stream that has something to write."""
        self._waiting.append(stream)
        if not self._turn_scheduled:
            self._turn_scheduled = True
            asyncio.get_running_loop().call_soon(self._run_turn)

    def _run_turn(self) -> None:
        """Let the next few streams write, then yield to the event loop."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for _ in range(min(STREAMS_PER_TURN, len(self._waiting))):
            stream = self._waiting.popleft()
            if stream in self._open:
                stream.write()
                stream.wrote_at = now
        self._turn_scheduled = bool(self._waiting)
        if self._turn_scheduled:
            loop.call_soon(self._run_turn)

    def _send_heartbeats(self) -> None:
        """Request heartbeats from streams that were silent for HEARTBEAT_AFTER."""
        loop = asyncio.get_running_loop()
        silent_since = loop.time() - HEARTBEAT_AFTER
        for stream in self._open:
            if stream.wrote_at <= silent_since:
                stream.on_news()
        self._heartbeat_timer = loop.call_later(HEARTBEAT_CHECK_INTERVAL, self._send_heartbeats)


STREAM_SCHEDULER = web.AppKey("stream_scheduler", StreamScheduler)
