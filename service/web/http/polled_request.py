"""The part of a request on which the response to a poll may depend.

`service/web/server/plain_request.py` reads it from bytes, aiohttp from any request. A handler that takes a
`PolledRequest` can see nothing else, so it cannot answer differently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NewType, Protocol, TypeVar

from aiohttp import ETag, web
from multidict import MultiMapping, istr

PolledHeader = NewType("PolledHeader", str)
"""The name of a header that a poll may have. `istr` in lower case, so that it finds its value in either mapping."""

TOKEN_HEADER = PolledHeader(istr("x-auth-token"))
UID_HEADER = PolledHeader(istr("x-user-id"))
IF_NONE_MATCH = PolledHeader(istr("if-none-match"))
REQUEST_ID = PolledHeader(istr("x-request-id"))
TRACEPARENT = PolledHeader(istr("traceparent"))
ORIGIN = PolledHeader(istr("origin"))
FORWARDED_FOR = PolledHeader(istr("x-forwarded-for"))
"""Nothing but the audit trail depends on it."""
POLLED_HEADERS = frozenset({TOKEN_HEADER, UID_HEADER, IF_NONE_MATCH, REQUEST_ID, TRACEPARENT, ORIGIN, FORWARDED_FOR})


T = TypeVar("T")


class Parts(Protocol):
    """The parts of the application, by key. `web.Application` is such a mapping."""

    def __getitem__(self, key: web.AppKey[T], /) -> T: ...


class PolledHeaders(Protocol):
    """The headers of a poll."""

    def get(self, name: PolledHeader, /) -> str | None:
        """The value of a header; None without it."""


class Target(Protocol):
    """The path and the query, as sent."""

    @property
    def raw_path(self) -> str: ...

    @property
    def raw_query_string(self) -> str: ...


class PolledRequest(Protocol):
    """A poll. `web.Request` has all of it."""

    @property
    def app(self) -> Parts: ...

    @property
    def headers(self) -> PolledHeaders: ...

    @property
    def remote(self) -> str | None:
        """The peer's address. Nothing but the audit trail depends on it."""

    @property
    def path(self) -> str: ...

    @property
    def rel_url(self) -> Target: ...

    @property
    def query(self) -> MultiMapping[str]: ...

    @property
    def match_info(self) -> Mapping[str, str]: ...

    @property
    def if_none_match(self) -> tuple[ETag, ...] | None: ...
