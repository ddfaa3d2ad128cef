"""Answers polls that came before with the same bytes (`service/web/http/repeated_poll.py`).

They are found by the SHA-256 of these bytes, so that no token is kept, and whatever connection they come over: a proxy
sends the requests of many clients over each of its connections.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256

import msgspec

from service.web.http.polled_request import REQUEST_ID, TRACEPARENT
from service.web.http.prebuilt_response import PrebuiltResponse, render_repeated
from service.web.http.repeated_poll import RepeatedPoll
from service.web.server.plain_request import PlainRequest

OF_ONE_REQUEST = {REQUEST_ID, TRACEPARENT}
"""Headers whose value nobody sends twice."""
MAX_KEPT = 65_536
"""Polls that are kept, half a kilobyte each. The oldest goes first, and costs one call of its handler."""
MAX_SIZE = 2_048
"""Bytes of a request that is kept. Those of browsers have about 700."""
X_REQUEST_ID = "X-Request-Id"
_CONSTANT = {X_REQUEST_ID, "Vary", "Access-Control-Allow-Origin"}
"""Headers that depend on the bytes and the settings alone; the request id is made for each response."""


class _Kept(msgspec.Struct, frozen=True, gc=False):
    """A poll, with what the dispatcher adds to its responses."""

    poll: RepeatedPoll
    label: str
    """The route's pattern, for the metrics."""
    headers: bytes
    """Header lines for the page's origin."""


class RepeatedPolls:
    """The polls of one process. A poll is kept once it was answered, so only callers with a valid token add to them."""

    def __init__(
        self, count: Callable[[str, str, int], None], new_request_id: Callable[[], str], draining: asyncio.Event
    ) -> None:
        self._count = count
        self._new_request_id = new_request_id
        self._draining = draining
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def answer(self, data: bytes, peer: str | None) -> bytes | None:
        """The whole response to a poll with these bytes, from the peer with this address.

        None, without side effects, if its handler has to be asked.
        """
        kept = self._kept.get(sha256(data).digest()) if len(data) <= MAX_SIZE else None
        if kept is None or self._draining.is_set():
            return None
        try:
            answer = kept.poll.answer(peer)
        except Exception:  # the handler meets it too, and its error is answered
            return None
        if answer is None:
            return None
        self._count(kept.label, "GET", answer[0])
        return render_repeated(answer, self._new_request_id(), kept.headers)

    def keep(self, data: bytes, request: PlainRequest, response: PrebuiltResponse) -> None:
        """Keep a poll that was answered, if it can be answered again."""
        poll, added = response.repeated, response.headers
        if poll is None or len(data) > MAX_SIZE or OF_ONE_REQUEST & request.headers.keys() or added.keys() - _CONSTANT:
            return
        lines = "".join(f"{name}: {value}\r\n" for name, value in added.items() if name != X_REQUEST_ID)
        self._kept[sha256(data).digest()] = _Kept(poll, request.route.label, lines.encode())
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
