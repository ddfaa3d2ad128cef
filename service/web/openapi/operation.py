"""An operation: a method on a path, its handler, and its OpenAPI description.

Each family's module ends with its `OPERATIONS`. Routes and description are both derived from them, so they cannot
differ.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, ClassVar, cast

import msgspec
from aiohttp import typedefs as aiohttp_types
from aiohttp import web

from service.domain.permissions import Permission
from service.web.http.handler_types import Handler, PlainHandler, SyncHandler
from service.web.http.params import Body, Path, Query, QueryOrJson

Yes = Annotated[bool, msgspec.Meta(extra_json_schema={"const": True})]
"""A `success` that is always true: errors have schemas of their own."""
No = Annotated[bool, msgspec.Meta(extra_json_schema={"const": False})]


class Auth(enum.Enum):
    """The credentials that a call requires."""

    NONE = "none"
    TOKEN = "X-Auth-Token"  # noqa: S105 - a header's name
    TOKEN_ELSEWHERE = "X-Auth-Token, but none on the service's own machine"  # noqa: S105
    TOKEN_AND_UID = "X-Auth-Token and X-User-Id"  # noqa: S105
    TOKEN_AND_UID_OR_TICKET = "X-Auth-Token and X-User-Id, or a ticket"  # noqa: S105


class AnyOf:
    """One of several structs, chosen by settings or data. Subclasses list them."""

    alternatives: ClassVar[tuple[Any, ...]] = ()


class Success(msgspec.Struct, frozen=True):
    """Success without further data."""

    success: Yes = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method on a path."""

    method: str
    path: str
    handler: Handler = field(repr=False)
    sync_handler: SyncHandler | None = field(repr=False, default=None)
    """Answers the same call if nothing has to be waited for, as for almost every poll: it needs no task then."""
    plain_handler: PlainHandler | None = field(repr=False, default=None)
    """The handler, if it waits but depends on nothing but a `PolledRequest`."""
    summary: str
    """A line for the description."""
    details: str = ""
    """Further lines, in Markdown."""
    answer: Any
    """The msgspec type or `AnyOf` of the JSON response; None if it is not JSON (see `media_type`)."""
    status: int = 200
    media_type: str = "application/json"
    other_answers: Mapping[int, Any] = field(default_factory=dict)
    """JSON responses with other statuses that are not errors of the family."""
    query: Query[Any] | QueryOrJson[Any] | None = None
    """The decoder of the query, which the handler uses too. The fields of its struct are the parameters."""
    in_path: Path[Any] | None = None
    """The decoder of the path parameters, likewise."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """Regular expressions for path parameters that do not accept any text."""
    body: Body[Any] | None = None
    """The decoder of the body, likewise."""
    conditional: bool = False
    """Whether responses have an `ETag`, and may be 304."""
    request_headers: tuple[str, ...] = ()
    """Other request headers that it reads."""
    headers: tuple[str, ...] = ()
    """Response headers beside those of all calls."""
    auth: Auth = Auth.TOKEN_AND_UID
    board: bool = False
    """Whether a token with the scope `board` will do. Its handler has to ask for its caller with `board=True`."""
    permission: Permission | None = None
    own_is_free: bool = False
    """Whether the permission is needed only for other users' data."""
    errors: tuple[type[Exception] | Exception, ...] = ()
    """The errors that it may raise beside those of `auth`, `permission` and `body`.

    An instance serves as the example in the description."""

    def route(self) -> web.RouteDef:
        """The route for aiohttp, which finds the handler that the dispatcher calls."""
        path, handler = self.path, cast(aiohttp_types.Handler, self.handler)
        for name, pattern in self.patterns.items():
            path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
        if self.method == "GET":
            return web.get(path, handler, allow_head=self.media_type != "text/event-stream")
        return web.route(self.method, path, handler)


def with_prefix(prefix: str, operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The same operations under a prefix."""
    return tuple(replace(operation, path=prefix + operation.path) for operation in operations)
