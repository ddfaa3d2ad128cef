"""The model's side of one AMI connection: bytes in, bytes out, in Asterisk's order.

One thread of Asterisk serves a connection. Before it reads an action it writes the events that were queued until then.
A list is therefore not interleaved with events, older events may follow it, and none that is queued follows a Pong.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

from tests.simulation.accounts import SECRET as SECRET
from tests.simulation.answers import Action, answer, fully_booted
from tests.simulation.wire import GREETING, error, parse, success

if TYPE_CHECKING:
    from tests.simulation.server import AmiServer

MAX_PACKETS = 40
"""The most packets that one write is cut into, so that a long list does not take all the time of a world."""


class Session(asyncio.Protocol):
    """One connection. A fault may hold what it writes or reads, cut it, or leave it half-open."""

    def __init__(self, server: AmiServer) -> None:
        self._server = server
        self._asterisk = server.asterisk
        self._loop = asyncio.get_running_loop()
        self._received = b""
        self._actions: deque[Action] = deque()
        self._events: deque[bytes] = deque()
        self._list: Iterator[bytes] | None = None
        self._greeted = self._hears = False
        self.account: str | None = None
        """Who is logged in."""
        self._turn: asyncio.Handle | None = None
        self._unwritten: list[bytes] = []
        self.reads = True
        """Whether what the client sends arrives."""
        self.writes = True
        """Whether what Asterisk writes arrives."""
        self.dead = False
        """Whether the connection is over for Asterisk, known to the client or not."""

    # --- from the network --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._server.sessions.append(self)
        self.reads, self.writes = self._server.reads, self._server.writes
        self.wake()

    def data_received(self, data: bytes) -> None:
        self._received += data
        self._read()

    def connection_lost(self, exc: Exception | None) -> None:
        self.dead = True
        if self in self._server.sessions:
            self._server.sessions.remove(self)

    def _read(self) -> None:
        if not self.reads or self.dead:
            return
        *frames, self._received = self._received.split(b"\r\n\r\n")
        self._actions.extend(parse(frame) for frame in frames if frame)
        self.wake()

    # --- to the network ----------------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        if self.dead:
            return
        if not self.writes:
            self._unwritten.append(data)
            return
        size = max(self._server.chunk, len(data) // MAX_PACKETS)
        for start in range(0, len(data), size):
            self._transport.write(data[start : start + size])

    # --- faults ------------------------------------------------------------------------------------------------

    def hold(self, *, reads: bool, writes: bool) -> None:
        """Hold what arrives, or let it go on: a partition, one-way or not."""
        self.reads, self.writes = reads, writes
        if writes:
            unwritten, self._unwritten = self._unwritten, []
            for data in unwritten:
                self._write(data)
        self._read()

    def reset(self) -> None:
        """Cut the connection: the client is told."""
        self.dead = True
        self._transport.abort()

    def abandon(self) -> None:
        """Forget the connection: the client is not told."""
        self.dead = True

    @property
    def busy(self) -> bool:
        """Whether an action has arrived, and is not answered."""
        return bool(self._actions)

    # --- what the thread of the connection does ------------------------------------------------------------------

    def publish(self, data: bytes) -> None:
        if self._hears and not self.dead:
            self._events.append(data)
            self.wake()

    def wake(self) -> None:
        if not self._server.frozen and not self._greeted:
            self._greeted = True
            self._write(GREETING)
        if self._turn is None and not self.dead and not self._server.frozen and self._has_work():
            self._turn = self._loop.call_later(self._server.pace(self._list is not None), self._take_turn)

    def _has_work(self) -> bool:
        return bool(self._list is not None or self._actions or self._events)

    def _take_turn(self) -> None:
        self._turn = None
        if self.dead or self._server.frozen:
            return
        if self._list is not None:
            self._write_some_of_the_list()
        else:
            events = b"".join(self._events)
            self._events.clear()
            if events:
                self._write(events)
            if self._actions:
                self._answer(self._actions.popleft())
        self.wake()

    def _write_some_of_the_list(self) -> None:
        assert self._list is not None
        items = []
        for _ in range(self._server.items_per_turn):
            item = next(self._list, None)
            if item is None:
                self._list = None
                break
            items.append(item)
        self._write(b"".join(items))

    # --- actions -------------------------------------------------------------------------------------------------

    def _answer(self, action: Action) -> None:
        if action.get("action", "").lower() == "login":
            self._log_in(action)
            return
        written = answer(self._server, self.account, action)
        if isinstance(written, bytes):
            self._write(written)
        else:
            self._list = written

    def _log_in(self, action: Action) -> None:
        account, id_ = action.get("username", ""), action.get("actionid")
        if action.get("secret") != self._server.secrets.get(account):
            self._server.refused[account] += 1
            self._write(error(id_, "Authentication failed"))
            return
        self._write(success(id_, ("Message", "Authentication accepted")))
        self.account = account
        self._hears = account == "monitor" and action.get("events", "on") != "off"
        if self._asterisk.booted:
            self.publish(fully_booted())
