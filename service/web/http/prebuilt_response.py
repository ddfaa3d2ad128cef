"""Answers whose head is bytes already: what is polled is made once, and sent until it changes.

aiohttp would check, fill in and encode a dozen headers for each answer, for longer than all the rest of a poll takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from time import time
from typing import ClassVar

from aiohttp import HttpVersion, HttpVersion10, web

from service.web.http.errors import encode
from service.web.http.headers import EXPOSED

EXPOSE = "Access-Control-Expose-Headers"
SERVER = "asterisk-connector"
"""What every answer's `Server` says: no version, which would tell what to try."""
NO_STORE = {"Cache-Control": "no-store"}


def lines(headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Headers as they are sent, with the length of the body where there is one.

    No value may come from a client: nobody looks for line ends in them.
    """
    length = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return "".join([f"{name}: {value}\r\n" for name, value in {**headers, **length}.items()]).encode()


class PrebuiltResponse:
    """`head` is what `lines` made of the headers that are kept; to `headers` more may be added, in the same way."""

    __slots__ = ("_body", "_head", "headers", "keep_alive", "status")

    prepared: ClassVar[bool] = False
    """As of aiohttp's answers: it is sent in one piece, when nothing more is to be added."""

    def __init__(self, status: int, head: bytes, body: bytes = b"") -> None:
        self.status = status
        self.headers = {EXPOSE: EXPOSED}
        self.keep_alive = True
        self._head = head
        self._body = body

    def force_close(self) -> None:
        """Make it the last answer on its connection."""
        self.keep_alive = False

    @property
    def size(self) -> int:
        """Bytes of the body."""
        return len(self._body)

    def sent(self, request: web.BaseRequest, *, keep_alive: bool = True) -> bytes:
        """All of it, as it goes out. The connection ends with it unless it is to be kept, and this is not its last."""
        return self.encoded(request.version, request.method, keep_alive=keep_alive)

    def encoded(self, version: HttpVersion, method: str, *, keep_alive: bool) -> bytes:
        """The same to what is no whole request."""
        kept = keep_alive and self.keep_alive
        if kept is (version == HttpVersion10):
            self.headers["Connection"] = "keep-alive" if kept else "close"
        added = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        body = b"" if method == "HEAD" else self._body
        return b"".join((_first(version, self.status), added.encode(), self._head, _last(int(time())), body))


def as_json(answer: object, headers: Mapping[str, str] = NO_STORE, status: int = 200) -> PrebuiltResponse:
    """Anything as JSON; the rule of `lines` holds for the headers."""
    body = encode(answer)
    return PrebuiltResponse(status, lines(headers, body), body)


@lru_cache(maxsize=100)
def _first(version: HttpVersion, status: int) -> bytes:
    """The status line."""
    return f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n".encode()


@lru_cache(maxsize=1)
def _last(second: int) -> bytes:
    """The headers that aiohttp adds to each answer, and the end of the head."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER}\r\n\r\n".encode()
