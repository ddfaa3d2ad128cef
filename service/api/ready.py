"""Answers whose head is bytes already: what is polled is made once, and sent until it changes.

aiohttp would check, fill in and encode a dozen headers for each answer, for longer than all the rest of a poll takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from time import time

from aiohttp import HttpVersion10, web
from aiohttp.http import SERVER_SOFTWARE
from multidict import CIMultiDict

from service.api.headers import EXPOSED

OF_EACH = CIMultiDict({"Access-Control-Expose-Headers": EXPOSED})


def lines(headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Headers as they are sent, with the length of the body where there is one.

    No value may come from a client: nobody looks for line ends in them.
    """
    length = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return "".join([f"{name}: {value}\r\n" for name, value in {**headers, **length}.items()]).encode()


class Ready(web.StreamResponse):
    """`head` is what `lines` made of the headers that are kept; more may be added, as to any answer of aiohttp's."""

    def __init__(self, status: int, head: bytes, body: bytes = b"") -> None:
        super().__init__(status=status, headers=OF_EACH)
        self._head = head
        self._content = body

    async def prepare(self, request: web.BaseRequest) -> None:
        """Nothing is sent before everything is known."""
        self._req = request
        if self._keep_alive is None:
            self._keep_alive = request.keep_alive

    async def write_eof(self, data: bytes = b"") -> None:
        """All at once."""
        request = self._req
        assert request is not None
        version = request.version
        if self._keep_alive is (version == HttpVersion10):
            self.headers["Connection"] = "keep-alive" if self._keep_alive else "close"
        added = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        first = f"HTTP/{version.major}.{version.minor} {self.status} {self.reason}\r\n{added}".encode()
        content = b"" if request.method == "HEAD" else self._content
        await request.writer.write_eof(b"".join((first, self._head, _now(int(time())), content)))
        self._eof_sent = True


@lru_cache(maxsize=1)
def _now(second: int) -> bytes:
    """The headers that aiohttp adds to each answer, and the end of the head."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER_SOFTWARE}\r\n\r\n".encode()
