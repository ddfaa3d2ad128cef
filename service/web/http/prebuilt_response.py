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

import msgspec
from aiohttp import HttpVersion, HttpVersion10, HttpVersion11, web

from service.web.http.errors import encode
from service.web.http.headers import EXPOSED_HEADERS
from service.web.http.repeated_poll import Answer, RepeatedPoll

EXPOSE_HEADERS = "Access-Control-Expose-Headers"
SERVER = "asterisk-connector"
"""The header `Server` of every response, without a version: that would help an attacker."""
NO_STORE = {"Cache-Control": "no-store"}


def render_headers(headers: Mapping[str, str], body: bytes | None = None) -> bytes:
    """Header lines as bytes, with the content type and length of the body if there is one.

    No value may come from a client: they are not checked for line breaks.
    """
    length = {} if body is None else {"Content-Type": "application/json", "Content-Length": str(len(body))}
    return "".join([f"{name}: {value}\r\n" for name, value in {**headers, **length}.items()]).encode()


class PrebuiltResponse(msgspec.Struct, gc=False):
    """A response of EXPOSE_HEADERS, added `headers`, `head`, and a body. The rule of `render_headers` holds for all."""

    status: int
    head: bytes
    body: bytes = b""
    headers: dict[str, str] = msgspec.field(default_factory=dict)
    keep_alive: bool = True
    cross_origin: bool = True
    """Whether a page of another origin may be allowed to read it: EXPOSE_HEADERS is left out otherwise."""
    repeated: RepeatedPoll | None = None
    """How the same request is answered when it comes again; None if by its handler."""
    prepared: ClassVar[bool] = False
    """As of aiohttp's responses. Always False: nothing is sent before the response is complete."""

    def __repr__(self) -> str:  # head and body may hold secrets
        return f"PrebuiltResponse({self.status})"

    def force_close(self) -> None:
        """Close the connection after this response."""
        self.keep_alive = False

    @property
    def size(self) -> int:
        """Size of the body in bytes."""
        return len(self.body)

    def render(self, request: web.BaseRequest, *, keep_alive: bool = True) -> bytes:
        """The whole response as bytes. The connection stays open if both `keep_alive` and the response allow it."""
        return self.render_for(request.version, request.method, keep_alive=keep_alive)

    def render_for(self, version: HttpVersion, method: str, *, keep_alive: bool) -> bytes:
        """The same for a request that could not be parsed."""
        kept = keep_alive and self.keep_alive
        if kept is (version == HttpVersion10):
            self.headers["Connection"] = "keep-alive" if kept else "close"
        added = ""
        for name, value in self.headers.items():
            added += f"{name}: {value}\r\n"
        body = b"" if method == "HEAD" else self.body
        return b"".join(
            (
                _first_lines(version, self.status, self.cross_origin),
                added.encode(),
                self.head,
                _final_headers(int(time())),
                body,
            )
        )


def prebuilt_json(answer: object, headers: Mapping[str, str] = NO_STORE, status: int = 200) -> PrebuiltResponse:
    """A value as JSON. The rule of `render_headers` holds for the headers."""
    body = encode(answer)
    return PrebuiltResponse(status, render_headers(headers, body), body)


def render_repeated(answer: Answer, request_id: str, added: bytes) -> bytes:
    """The response to a repeated poll, as `PrebuiltResponse.render_for` makes it. `added`: further header lines."""
    status, head, body = answer
    first = _first_lines(HttpVersion11, status, True)
    id_line = f"X-Request-Id: {request_id}\r\n".encode()
    return b"".join((first, id_line, added, head, _final_headers(int(time())), body))


@lru_cache(maxsize=100)
def _first_lines(version: HttpVersion, status: int, cross_origin: bool) -> bytes:
    exposed = f"{EXPOSE_HEADERS}: {EXPOSED_HEADERS}\r\n" if cross_origin else ""
    return f"HTTP/{version.major}.{version.minor} {status} {HTTPStatus(status).phrase}\r\n{exposed}".encode()


@lru_cache(maxsize=1)
def _final_headers(second: int) -> bytes:
    """The headers that aiohttp adds to each response, and the end of the head."""
    return f"Date: {formatdate(second, usegmt=True)}\r\nServer: {SERVER}\r\n\r\n".encode()
