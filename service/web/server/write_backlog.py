"""Bytes that clients have asked for and do not take: for how long they are kept, and how many.

A transport tells when it holds back what the kernel does not take. So nothing is counted for a client that reads, and
everything for one that does not, whoever wrote it: a poll answered at once, a handler, a stream.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Protocol

from aiohttp import web

from service.errors import Overloaded
from service.web.server.deadlines import Deadlines

WRITE_DEADLINE = 30.0
"""Seconds in which a client must have taken what was written for it; then its connection is aborted."""
MOST = 64 << 20
"""Unsent bytes of a process, beyond which large answers are refused. At twice as many the oldest go at once."""
GRACE = 2.0
"""Seconds that an answer is safe, also when others want its room: a client far away may need as long."""
PER_TURN = 20
"""Connections that are aborted in one turn of the loop."""
LARGE = 1 << 16
"""Bytes of an answer that needs room. What is smaller is always sent: a refusal is, too."""


class Line(Protocol):
    """A connection, as it is seen from here."""

    def __hash__(self) -> int: ...

    def unsent_bytes(self) -> int:
        """How much it holds back now."""

    def abort(self) -> None:
        """Drop it, with all that it holds back."""


class WriteBacklog:
    """One per process. A connection sends one answer at a time, so what it holds back when it begins is the most."""

    def __init__(self) -> None:
        self.aborted = 0
        """Connections that did not take their answers."""
        self.bytes = 0
        self.full = False
        self._sizes: dict[Line, int] = {}
        self._deadlines: Deadlines[Line] = Deadlines(WRITE_DEADLINE, self._abort)

    def begin(self, line: Line) -> None:
        """A connection holds something back."""
        size = self._sizes[line] = line.unsent_bytes()
        self._deadlines.begin(line)
        self._count(size)
        if self.bytes > 2 * MOST:
            self._make_room(lambda: self.bytes <= 2 * MOST, 0.0)

    def end(self, line: Line) -> None:
        """It has sent everything, or is gone."""
        self._deadlines.end(line)
        if (size := self._sizes.pop(line, None)) is not None:
            self._count(-size)

    def demand_room(self) -> None:
        """For a large answer. Raises Overloaded when clients that do read take all there is."""
        if self.full:
            self._make_room(lambda: not self.full, GRACE)
        if self.full:
            raise Overloaded("too many answers wait to be read")

    def _make_room(self, enough: Callable[[], bool], grace: float) -> None:
        for line in [*islice(self._deadlines.older_than(grace), PER_TURN)]:
            if enough():
                return
            self._abort(line)

    def _abort(self, line: Line) -> None:
        self.aborted += 1
        self.end(line)
        line.abort()

    def _count(self, size: int) -> None:
        self.bytes += size
        self.full = self.bytes > MOST


WRITE_BACKLOG = web.AppKey("unsent", WriteBacklog)
