"""One connection of the service, seen from outside: what arrives, what is written, and who ends it.

What is written is judged when it is written. Its reader gets it later, perhaps much later.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import TYPE_CHECKING, Any

from tests.simulation.web.messages import Answer, Message, Parser

if TYPE_CHECKING:
    from tests.simulation.web.client_connection import ClientConnection
    from tests.simulation.web.judge import Judge


ORDERED = 1e-6
"""Seconds after which everything that was ready has run."""


class Tap:
    """Between a transport of the service and its protocol."""

    def __init__(self, transport: Any, judge: Judge) -> None:
        self.transport = transport
        self.peer: tuple[str, int] = transport.get_extra_info("peername")
        self.received = 0
        self.written = 0
        self.answers = 0
        """Responses whose head was written."""
        self._finishing = False
        self.closing = False
        """Whether the service has said that it closes."""
        self.messages: deque[tuple[int, Message]] = deque()
        """What was written and has not reached the client, with the number of bytes up to its end."""
        self._judge = judge
        self._client: ClientConnection | None = None
        self._parser = Parser(self._take)
        self._write = transport.write
        self._deliver = transport._deliver
        self._force_close = transport._force_close
        self._close = transport.close
        self._finish = transport._finish

    def watch(self, protocol: asyncio.Protocol) -> None:
        """Take the place of the transport's methods."""
        self.protocol: Any = protocol
        self.transport.write = self.write
        self.transport._deliver = self.deliver
        self.transport.close = self.close
        self.transport._force_close = self.force_close
        self.transport._finish = self.finish

    def client(self) -> ClientConnection | None:
        """The client's side."""
        if self._client is None:
            self._client = self._judge.clients.get(self.peer)
        return self._client

    @property
    def unsent(self) -> int:
        """Bytes that the client has not read."""
        return int(self.transport._write_buffer)

    @property
    def between_answers(self) -> bool:
        return self._parser.is_complete

    def deliver(self, data: bytes) -> None:
        self.received += len(data)
        self._deliver(data)

    def write(self, data: Any) -> None:
        """As asyncio's: nothing happens on a transport that is closed."""
        if self.transport.is_closing() or self.transport._eof_sent:
            return
        self.written += len(data)
        self._judge.on_bytes(self, bytes(data))
        try:
            self._parser.feed(bytes(data))
        except ValueError as error:
            self._judge.wrong(f"{self.peer} is written {error}")
        self._write(data)

    def close(self) -> None:
        self._end("close")
        self._close()

    def force_close(self, error: Exception | None) -> None:
        self._end("abort")
        self._force_close(error)

    def finish(self, error: Exception | None) -> None:
        """The service has no such connection any more. aiohttp relies on hearing of it after what arrived before."""
        if not self._finishing:
            self._finishing = True
            asyncio.get_running_loop().call_later(ORDERED, self._finish_now, error)

    def _finish_now(self, error: Exception | None) -> None:
        self._finish(error)
        self._judge.on_lost(self)

    def _end(self, how: str) -> None:
        if not self.transport.is_closing():
            self._judge.on_closed(self, how)

    def _take(self, message: Message) -> None:
        self.messages.append((self.written, message))
        if isinstance(message, Answer):
            self.answers += 1
            self.closing |= message.headers.get("connection", "").lower() == "close"
        self._judge.on_written(self, message)
