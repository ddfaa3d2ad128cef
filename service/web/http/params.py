"""Decoders of a request's input: query, JSON body, form and path, each into one struct.

An `Operation` takes decoders, so the API description shows the very struct that is decoded. Nothing else in
`service/web` reads input from a request (a test holds this).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Generic, TypeVar

import msgspec
from aiohttp import web
from multidict import MultiMapping
from yarl import URL

from service.web.http import body, param_sources
from service.web.http.param_decode import NO_CHECKS, Checks, decode
from service.web.http.param_errors import Errors
from service.web.http.param_fields import params_of
from service.web.http.polled_request import PolledRequest

S = TypeVar("S", bound=msgspec.Struct)
CACHED, LONGEST_CACHED = 4_096, 512
"""Number of queries in a cache, and the length of the longest: ten extensions take a hundred bytes."""


class Query(Generic[S]):
    """A query alone. `cached`: a pattern of the raw queries that are cached, as pollers repeat them."""

    def __init__(
        self,
        kind: type[S],
        errors: Callable[[], Errors],
        *,
        empty_is_absent: bool = False,
        stored: bool = False,
        cached: re.Pattern[str] | None = None,
    ) -> None:
        self.kind = kind
        self.empty_is_absent = empty_is_absent
        self._errors = errors
        self._stored = stored
        self._is_cached = cached
        self._cached = lru_cache(CACHED)(self._decode_text)

    def decode(self, request: PolledRequest) -> S:
        """The parameters. Raises BadArgument."""
        if self._is_cached is not None:
            raw = request.rel_url.raw_query_string
            if len(raw) <= LONGEST_CACHED and self._is_cached.fullmatch(raw):
                return self._cached(raw)
        return self.decode_parsed(request.query)

    def decode_parsed(self, query: MultiMapping[str]) -> S:
        """Decode a query that is already parsed."""
        source = param_sources.QuerySource(query, empty_is_absent=self.empty_is_absent)
        return decode(self.kind, (source,), self._errors, stored=self._stored)

    @property
    def cached(self) -> int:
        """Number of queries in the cache."""
        return self._cached.cache_info().currsize

    def clear(self) -> None:
        """Empty the cache."""
        self._cached.cache_clear()

    def _decode_text(self, raw: str) -> S:
        return self.decode_parsed(URL.build(query_string=raw, encoded=True).query)


class QueryOrJson(Generic[S]):
    """A query, a JSON body sent with the GET, or both if they agree.

    `plain`: a pattern of raw queries whose one group is the value of the struct's first field.
    """

    empty_is_absent = False

    def __init__(self, kind: type[S], errors: Callable[[], Errors], *, plain: re.Pattern[str] | None = None) -> None:
        self.kind = kind
        self._errors = errors
        self._plain = plain

    async def decode(self, request: web.Request) -> S:
        """The parameters. Raises BadArgument, BodyTooLarge, BodyTooSlow."""
        raw = await body.read(request)
        return self.decode_parsed(request.query, body.parse_optional(raw))

    def decode_plain(self, request: PolledRequest) -> S | None:
        """The parameters of a plain query, without a look at the body. None for any other query."""
        found = self._plain.fullmatch(request.rel_url.raw_query_string) if self._plain is not None else None
        return None if found is None else self.kind(found[1])

    def decode_parsed(self, query: MultiMapping[str], given: Mapping[str, Any]) -> S:
        """Decode a query and an object that are already parsed."""
        sources = param_sources.QuerySource(query), param_sources.JsonBesideQuerySource(given)
        return decode(self.kind, sources, self._errors)


class OneOf(Generic[S]):
    """A body of several shapes: `shown` describes them, and `choose` returns the struct that decodes an object."""

    def __init__(self, shown: Any, choose: Callable[[Mapping[str, Any]], type[S]]) -> None:
        self.shown = shown
        self.choose = choose


class Body(Generic[S]):
    """A JSON body, or also a form. `most`: a size limit in bytes below the general one."""

    def __init__(
        self,
        kind: type[S] | OneOf[S],
        errors: Callable[[], Errors],
        *,
        checks: Checks = NO_CHECKS,
        form: bool = False,
        most: int | None = None,
        stored: bool = False,
    ) -> None:
        self.kind: Any = kind.shown if isinstance(kind, OneOf) else kind
        self.form = form
        self._choose = kind.choose if isinstance(kind, OneOf) else lambda _: kind
        self._errors = errors
        self._checks = checks
        self._most = most
        self._stored = stored

    async def decode(self, request: web.Request, narrowed: type[S] | None = None) -> S:
        """The body. `narrowed`: a subclass with the settings' own limits.

        Raises BadArgument, BodyTooLarge, BodyTooSlow, BodyUnsupported.
        """
        given = await body.read_object(request, form=self.form, most=self._most)
        return self.decode_parsed(given, narrowed)

    def decode_parsed(self, given: Mapping[str, Any], narrowed: type[S] | None = None) -> S:
        """Decode an object that is already parsed."""
        kind = narrowed or self._choose(given)
        return decode(kind, (param_sources.BodySource(given),), self._errors, self._checks, stored=self._stored)


class Path(Generic[S]):
    """The one variable part of a path. The route decides which paths it accepts."""

    def __init__(self, kind: type[S]) -> None:
        self.kind = kind
        (self._name,) = [param.name for param in params_of(kind)]

    def decode(self, request: PolledRequest) -> S:
        """The variable part of the path, a string."""
        return self.kind(request.match_info[self._name])
