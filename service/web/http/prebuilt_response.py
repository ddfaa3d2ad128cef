"""Responses whose head is bytes already: polled content is rendered once and sent until it changes.

aiohttp checks, completes and encodes a dozen headers per response, which takes longer than the rest of a poll.
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
from service.web.http.headers import EXPOSED_HEADERS

_EXPOSE_HEADERS = "Access-Control-Expose-Headers"
SERVER = "asterisk-connector"
"""The header `Server` of every response, without a version: that would help an attacker."""
NO_STORE = {"Cache-Control": "no-store"}


def render_headers(headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Header lines as bytes, with the content type and length of the body if there is one.

    No value may come from a client: they are not checked for line breaks.
    """
    length = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return "".join([f"{name}: {value}\r\n" for name, value in {**headers, **length}.items()]).encode()


class PrebuiltResponse:
    """A response of `head`, rendered by `render_headers`, added `headers` under the same rule, and a body."""

    __slots__ = ("_body", "_head", "headers", "keep_alive", "status")

    prepared: ClassVar[bool] = False
    """As of aiohttp's responses. Always False: nothing is sent before the response is complete."""

    def __init__(self, status: int, head: bytes, body: bytes = b"") -> None:
        self.status = status
        self.headers = {_EXPOSE_HEADERS: EXPOSED_HEADERS}
        self.keep_alive = True
        self._head = head
        self._body = body

    def force_close(self) -> None:
        """Close the connection after this response."""
        self.keep_alive = False

    @property
    def size(self) -> int:
        """Size of the body in bytes."""
        return len(self._body)

    def render(self, request: web.BaseRequest, *, keep_alive: bool = True) -> bytes:
        """The whole response as bytes. The connection stays open if both `keep_alive` and the response allow it."""
        return self.render_for(request.version, request.method, keep_alive=keep_alive)

    def render_for(self, version: HttpVersion, method: str, *, keep_alive: bool) -> bytes:
        """The same for a request that could not be parsed."""
        kept = keep_alive and self.keep_alive
        if kept is (version == HttpVersion10):
            self.headers["Connection"] = "keep-alive" if kept else "close"
        added = "".join([f"{name}: {value}\r\n" for name, value in self.headers.items()])
        body = b"" if method == "HEAD" else self._body
        return b"".join(
            (_status_line(version, self.status), added.encode(), self._head, _final_headers(int(time())), body)
        )


def prebuilt_json(answer: object, headers: Mapping[str, str] = NO_STORE, status: int = 200) -> PrebuiltResponse:
    """A value as JSON. The rule of `render_headers` holds for the headers."""
    body = encode(answer)
    return PrebuiltResponse(status, render_headers(headers, body), body)


@lru_cache(maxsize=100)
def _status_line(version: HttpVersion, status: int) -> bytes:
    return f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n".encode()


@lru_cache(maxsize=1)
def _final_headers(second: int) -> bytes:
    """The headers that aiohttp adds to each response, and the end of the head."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER}\r\n\r\n".encode()
