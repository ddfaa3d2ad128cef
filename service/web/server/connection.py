"""A client's connection: answers plain requests from their bytes, and leaves all others to aiohttp.

aiohttp's server parses a request into a dozen objects and answers it in two tasks, which costs more than the rest of
a poll. So a connection at rest, of which aiohttp has nothing left, first looks whether the bytes that came are one
plain request (`plain_request.py`) that can be answered at once (docs/decisions/0028):

    bytes ──> at rest? ──> plain? ──> nothing to wait for? ──> written at once
                 │no        │no          │no
                 └──────────┴────────────┴──> aiohttp, untouched

From the first byte that aiohttp gets until its answer is written the connection is aiohttp's. `request_framing.py`
finds the end of that request; what comes behind it is held until then. Only public names of aiohttp are used.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import HttpVersion11, web
from aiohttp.streams import StreamReader

from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.server.connection_bounds import READ_AHEAD, BoundedConnection, ConnectionBounds
from service.web.server.dispatcher import Dispatcher
from service.web.server.plain_request import PlainRequest
from service.web.server.request_framing import RequestFraming

HELD_PIECE = 4_096
"""Held bytes that are looked at in one go."""
GRACE = 0.1
"""Seconds within which aiohttp begins a request, if it has one. Used where that is unknown."""


class Connection(BoundedConnection):
    """A client's connection."""

    __slots__ = (
        "_answered",
        "_client",
        "_closing",
        "_deciding",
        "_framing",
        "_held",
        "_holding",
        "_pending",
        "_repeated",
        "at_rest",
    )

    def __init__(self, dispatcher: Dispatcher, server: web.Server, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(dispatcher, server, bounds, **options)
        self._repeated = dispatcher.repeated
        self._framing = RequestFraming()
        self._answered = False  # whether aiohttp's request is answered, though its body is not whole
        self._closing = self._deciding = False
        self._pending: asyncio.Future[PrebuiltResponse] | None = None  # of a plain request that waits
        self._held = bytearray()  # behind the request that aiohttp has
        self._holding = False  # whether reading is paused, as too much is held
        self._client: str | None = None
        self.at_rest = False
        """Whether aiohttp has nothing of this connection: it has answered all that it got, and got no more."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A new client."""
        super().connection_made(transport)
        peer = transport.get_extra_info("peername")
        self._client = str(peer[0]) if isinstance(peer, list | tuple) else None  # as aiohttp's `request.remote`
        self.at_rest = True

    def data_received(self, data: bytes) -> None:
        """A request, a part of one, or several."""
        if self.at_rest and self._answer_plain(data):
            return
        if not data:  # aiohttp asks itself to go on with what it has
            super().data_received(data)
        elif self._held or self._must_hold():
            self._hold(data)
        else:
            self._pass_on(data)

    def _answer_plain(self, data: bytes) -> bool:
        """Answer a plain request if nothing has to be waited for. Returns whether it did."""
        transport = self.transport
        if self.unread or transport is None:
            return False
        response = self._repeated.answer(data, self._client)
        if response is None:
            request = self._dispatcher.read_plain(data, self._client)
            if request is None:
                return False
            answer = self._dispatcher.answer_plain(request)
            if answer is None:
                return self._answer_plain_later(request)
            response = answer.render_for(HttpVersion11, "GET", keep_alive=True)
            self._dispatcher.keep_poll(data, request, answer)
        if self.reading_head:
            self.on_head_complete()
        self._last_activity = self._now()
        transport.write(response)
        return True

    def _answer_plain_later(self, request: PlainRequest) -> bool:
        """Begin the answer to a plain request that waits. Returns whether it did."""
        handler = request.route.plain_handler
        if handler is None:
            return False
        if self.reading_head:
            self.on_head_complete()
        self.at_rest = False
        self._pending = asyncio.ensure_future(self._dispatcher.answer_plain_later(request, handler))
        self._pending.add_done_callback(self._send_pending)
        return True

    def _send_pending(self, pending: asyncio.Future[PrebuiltResponse]) -> None:
        """A plain request that waited is answered."""
        self._pending = None
        self.note_activity()
        if pending.cancelled() or self.transport is None:  # the process ends, or the client is gone
            return
        try:
            answer = pending.result()
        except Exception:  # a bug of the dispatcher: nobody should wait for an answer
            self.force_close()
            raise
        self.transport.write(answer.render_for(HttpVersion11, "GET", keep_alive=not self._closing))
        if self._closing or not answer.keep_alive:
            self.force_close()
        else:
            self._rest()

    def _pass_on(self, data: bytes) -> None:
        """Give aiohttp what belongs to its request, and hold the rest."""
        self.at_rest = False
        size = self._framing.take(data)
        if size < len(data):
            self._held[:0] = data[size:]
            data = data[:size]
        super().data_received(data)
        if self._answered and self._framing.whole:
            self._on_request_over()

    def _must_hold(self) -> bool:
        """Whether a whole request is being answered, so that further bytes belong to another one."""
        return self._framing.whole or self._pending is not None or (self._framing.lost and self.is_answering())

    def _hold(self, data: bytes) -> None:
        self._held += data
        self._pause_if_full()

    def _pause_if_full(self) -> None:
        if len(self._held) > READ_AHEAD and self.transport is not None:
            self._holding = True
            self.transport.pause_reading()

    def _release_held(self) -> None:
        """Continue with what is held, up to the next request that aiohttp has to answer."""
        if self._holding and self.transport is not None:
            self._holding = False
            self.transport.resume_reading()
        while self._held and not self._must_hold():
            data = bytes(self._held[:HELD_PIECE])
            del self._held[:HELD_PIECE]
            if not (self.at_rest and self._answer_plain(data)):
                self._pass_on(data)
        self._pause_if_full()

    def on_request_begun(self, body: StreamReader) -> None:
        """aiohttp's task begins a request."""
        super().on_request_begun(body)
        self.at_rest = False
        if not self._framing.head_whole:  # aiohttp sees a request where there is none yet
            self._framing.lose()

    def on_request_ended(self) -> None:
        """aiohttp's task has answered a request, and goes on."""
        if self._framing.lost:
            self._decide_later()
        elif self._framing.whole:
            self._on_request_over()
        else:  # aiohttp reads the rest of the body and throws it away
            self._answered = True

    def _on_request_over(self) -> None:
        """aiohttp's request has come whole, and is answered."""
        self._answered = False
        if not self.has_whole_body():  # aiohttp does not agree
            self._framing.lose()
            self._decide_later()
            return
        self._framing.begin_next()
        self._rest()

    def _rest(self) -> None:
        """Continue with what is held. If nothing more can come, close."""
        self.at_rest = not self._closing
        self._release_held()
        if self.at_rest and self._half_closed:
            self.force_close()
        elif not self.at_rest and not self._must_hold():
            self._decide_later()

    def _decide_later(self) -> None:
        if not self._deciding:
            self._deciding = True
            asyncio.get_running_loop().call_later(GRACE, self._decide)

    def _decide(self) -> None:
        """Continue where it is unknown whether aiohttp has a request: it has had the time to begin one."""
        self._deciding = False
        if self.is_answering() or self._must_hold():  # its end decides
            return
        if self.idle_for() < GRACE / 2:
            self._decide_later()
        elif self._held:
            self._release_held()
            self._decide_later()
        elif self._half_closed:
            self.force_close()

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp's closes the connection, also with a response pending
        """The client half-closed the connection. Returns whether to keep it open for a pending response."""
        if self.at_rest or not self.has_whole_body():
            return False
        self.on_half_closed()
        if not self._must_hold():  # aiohttp may have found an error in the part that it got
            self._decide_later()
        return True

    def idle_since(self) -> float | None:
        """For `ConnectionLimit`, and for closing idle connections."""
        return None if self._framing.whole or self._pending is not None else super().idle_since()

    def close(self) -> None:
        """Answer what is begun, and nothing more."""
        self.at_rest, self._closing = False, True
        super().close()

    def force_close(self) -> None:
        """Close now."""
        self.at_rest, self._closing = False, True
        super().force_close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's signature
        """Answer what is begun, then close."""
        self.at_rest, self._closing = False, True
        if self._pending is not None:
            _, late = await asyncio.wait([self._pending], timeout=timeout)
            for pending in late:
                pending.cancel()
        await super().shutdown(timeout)
