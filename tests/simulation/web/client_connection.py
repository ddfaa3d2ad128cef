"""A client's side of a connection, and the requests that it sends."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.web.messages import Message
from tests.simulation.web.network import PORT
from tests.simulation.web.people import Grant

if TYPE_CHECKING:
    from tests.simulation.web.judge import Judge
    from tests.simulation.web.tap import Tap

REGISTRATION, PRESENCE, ONE, STREAM = "registration", "presence", "one", "stream"
PATHS = {
    REGISTRATION: "/api/v1/connector.extension.getRegistrationInfoByUserId",
    PRESENCE: "/api/v1/presence",
    ONE: "/api/v1/presence/",
    STREAM: "/api/v1/presence/stream",
}


@dataclass
class Request:
    """A request as a client means it."""

    kind: str
    grant: Grant
    uid: str
    """Of whom the token says that they are."""
    numbers: tuple[str, ...] = ()
    since: str | None = None
    etag: str | None = None
    wait: float = 0.0
    id: str | None = None
    version: str = "1.1"
    sent_at: float = 0.0
    """In the time of the loop."""
    asked_at: float = 0.0
    """The uptime of the service's machine at that moment."""
    end: int = 0
    """Bytes of the connection up to its end."""

    def render(self) -> bytes:
        query = []
        if self.kind == REGISTRATION:
            query.append(f"id={self.uid}")
        elif self.kind != ONE:
            query += [f"extension={number}" for number in self.numbers]
        if self.since is not None and self.kind == PRESENCE:
            query.append(f"since={self.since}")
        if self.wait:
            query.append(f"wait={self.wait:g}")
        path = PATHS[self.kind] + (self.numbers[0] if self.kind == ONE else "")
        lines = [f"GET {path}{'?' if query else ''}{'&'.join(query)} HTTP/{self.version}", "Host: connector"]
        lines += [f"X-Auth-Token: {self.grant.token}", f"X-User-Id: {self.uid}"]
        if self.etag is not None:
            lines.append(f"If-None-Match: {self.etag}")
        if self.since is not None and self.kind == STREAM:
            lines.append(f"Last-Event-ID: {self.since}")
        if self.id is not None:
            lines.append(f"X-Request-Id: {self.id}")
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def __str__(self) -> str:
        return f"{self.kind} of {self.uid} for {self.numbers or 'all'} wait {self.wait:g}"


class ClientConnection(asyncio.Protocol):
    """One connection to the service. `rude` clients send no valid requests, and are promised less."""

    def __init__(self, judge: Judge, *, rude: bool = False) -> None:
        self._judge = judge
        self._inbox: deque[Message] = deque()
        self._waiting: asyncio.Future[None] | None = None
        self._tap: Tap | None = None
        self.rude = rude
        self.asked: list[Request] = []
        self.sent = self.received = 0
        self.closed = False
        self.ended_by_client = False
        self.transport: Any = None

    @classmethod
    async def open(cls, judge: Judge, *, rude: bool = False) -> ClientConnection:
        """Raises OSError if the service does not listen, TimeoutError."""
        loop = asyncio.get_running_loop()
        opening = asyncio.ensure_future(loop.create_connection(lambda: cls(judge, rude=rude), "connector", PORT))
        try:
            async with asyncio.timeout(5.0):
                return (await asyncio.shield(opening))[1]
        except (TimeoutError, asyncio.CancelledError):
            opening.add_done_callback(_hang_up)  # the service has the connection already, or will have it
            raise

    # --- from the network --------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.address: tuple[str, int] = transport.get_extra_info("sockname")
        self._judge.clients[self.address] = self

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        if self._tap is None:
            self._tap = self._judge.taps.get(self.address) or self._judge.ended[self.address]
        messages = self._tap.messages
        while messages and messages[0][0] <= self.received:
            self._inbox.append(messages.popleft()[1])
        self._wake()

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, _: Exception | None) -> None:
        self.closed = True
        self._wake()

    def _wake(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    # --- what a client does --------------------------------------------------------------------------------------

    def ask(self, request: Request, pieces: int = 1) -> None:
        """Send a request, in so many pieces."""
        data = request.render()
        request.asked_at = self._judge.truth.now
        request.sent_at, request.end = asyncio.get_running_loop().time(), self.sent + len(data)
        self.asked.append(request)
        self._judge.limits.asked[request.grant.hash].append(request.sent_at)
        size = -(-len(data) // pieces)
        for start in range(0, len(data), size):
            self.send(data[start : start + size])

    def send(self, data: bytes) -> None:
        if not self.closed and not self.transport.is_closing():
            self.sent += len(data)
            self.transport.write(data)

    async def next(self, within: float) -> Message | None:
        """The next message; None if the connection has ended. Raises TimeoutError."""
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(within):
            while not self._inbox:
                if self.closed:
                    return None
                self._waiting = loop.create_future()
                await self._waiting
        return self._inbox.popleft()

    def end(self) -> None:
        """Hang up."""
        self.ended_by_client = True
        if not self.closed:
            self.transport.close()

    def reset(self) -> None:
        """Cut the connection: the service is told."""
        self.ended_by_client = True
        if not self.closed:
            self.transport.abort()

    def read(self, reads: bool) -> None:
        """Stop to read, or go on."""
        if not self.closed:
            self.transport.resume_reading() if reads else self.transport.pause_reading()


def _hang_up(opening: asyncio.Future[tuple[asyncio.Transport, ClientConnection]]) -> None:
    if not opening.cancelled() and opening.exception() is None:
        opening.result()[1].reset()
