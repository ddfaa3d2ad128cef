"""Bounds the bytes that clients requested and do not read, in time and in size.

A transport pauses writing when the kernel takes no more. So a client that reads costs nothing, and for one that does
not, every unsent byte counts, whether a synchronous handler, a coroutine or a stream wrote it.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

from aiohttp import web

from service.errors import Overloaded
from service.web.server.deadlines import Deadlines

WRITE_DEADLINE = 30.0
"""Seconds within which a client must read what was written; then its connection is aborted."""
MAX_UNSENT = 64 << 20
"""Unsent bytes of a process beyond which large responses are refused. Beyond twice that, the oldest are aborted."""
GRACE = 2.0
"""Seconds before a response may be aborted to make room: a distant client may need as long."""
ABORTS_PER_TURN = 20
"""Connections aborted per turn of the event loop."""
LARGE = 1 << 16
"""Size in bytes from which a response needs room. Smaller ones, such as errors, are always sent."""


class Writer(Protocol):
    """A connection with unsent bytes."""

    def __hash__(self) -> int: ...

    def unsent_bytes(self) -> int:
        """The unsent bytes now."""

    def abort(self) -> None:
        """Drop the connection with its unsent bytes."""


class WriteBacklog:
    """The unsent bytes of a process. A connection sends one response at a time, so its backlog only shrinks."""

    def __init__(self) -> None:
        self.aborted = 0
        """Connections aborted since the start."""
        self.bytes = 0
        self.full = False
        self._sizes: dict[Writer, int] = {}
        self._deadlines: Deadlines[Writer] = Deadlines(WRITE_DEADLINE, self._abort)

    def add(self, writer: Writer) -> None:
        """Count a connection that has paused writing."""
        size = self._sizes[writer] = writer.unsent_bytes()
        self._deadlines.start(writer)
        self._count(size)
        if self.bytes > 2 * MAX_UNSENT:
            self._make_room(lambda: self.bytes <= 2 * MAX_UNSENT, 0.0)

    def remove(self, writer: Writer) -> None:
        """Stop counting a connection: it has sent everything, or is gone."""
        self._deadlines.cancel(writer)
        if (size := self._sizes.pop(writer, None)) is not None:
            self._count(-size)

    def require_room(self) -> None:
        """Make room for a large response. Raises Overloaded if there is none to make."""
        if self.full:
            self._make_room(lambda: not self.full, GRACE)
        if self.full:
            raise Overloaded("too many answers wait to be read")

    def _make_room(self, enough: Callable[[], bool], grace: float) -> None:
        for writer in [*islice(self._deadlines.older_than(grace), ABORTS_PER_TURN)]:
            if enough():
                return
            self._abort(writer)

    def _abort(self, writer: Writer) -> None:
        self.aborted += 1
        self.remove(writer)
        writer.abort()

    def _count(self, size: int) -> None:
        self.bytes += size
        self.full = self.bytes > MAX_UNSENT


WRITE_BACKLOG = web.AppKey("write_backlog", WriteBacklog)
