"""An operation: one method on one path, its handler, and what the description says of it.

Each family's module ends with its `OPERATIONS`; routes and OpenAPI description are both made from them, so neither
can tell of a call that the other does not know.
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
from service.web.http.handlers import Handler, SyncHandler
from service.web.http.params import Body, Path, Query, QueryOrJson

Yes = Annotated[bool, msgspec.Meta(extra_json_schema={"const": True})]
"""A `success` that is always true: where it is not, the answer is an error's."""
No = Annotated[bool, msgspec.Meta(extra_json_schema={"const": False})]


class Auth(enum.Enum):
    """Which headers a call demands."""

    NONE = "none"
    TOKEN = "X-Auth-Token"  # noqa: S105 - a header's name
    TOKEN_ELSEWHERE = "X-Auth-Token, but none on the service's own machine"  # noqa: S105
    TOKEN_AND_UID = "X-Auth-Token and X-User-Id"  # noqa: S105
    TOKEN_AND_UID_OR_TICKET = "X-Auth-Token and X-User-Id, or a ticket"  # noqa: S105


class AnyOf:
    """One of several structs, where the settings or the data decide which: subclasses name them. Only described."""

    alternatives: ClassVar[tuple[Any, ...]] = ()


class Success(msgspec.Struct, frozen=True):
    """Success without further data."""

    success: Yes = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path."""

    method: str
    path: str
    handler: Handler = field(repr=False)
    sync_handler: SyncHandler | None = field(repr=False, default=None)
    """The same call's answer where nothing has to be waited for, as for almost every poll: it then needs no task."""
    summary: str
    """One line, for the description."""
    details: str = ""
    """More lines, in Markdown."""
    answer: Any
    """A msgspec type, or an `AnyOf`, of the JSON; None: it is no JSON, see `media_type`."""
    status: int = 200
    media_type: str = "application/json"
    other_answers: Mapping[int, Any] = field(default_factory=dict)
    """JSON with another status that is no error of the family's."""
    query: Query[Any] | QueryOrJson[Any] | None = None
    """The decoder of the query, which the handler uses too. The fields of its struct are the parameters."""
    in_path: Path[Any] | None = None
    """The decoder of what stands in braces in `path`, likewise."""
    patterns: Mapping[str, str] = field(default_factory=dict)
    """Regular expressions for what stands in braces, where not just any text belongs to this call."""
    body: Body[Any] | None = None
    """The decoder of the body, likewise."""
    conditional: bool = False
    """Whether it has an `ETag` and knows 304."""
    request_headers: tuple[str, ...] = ()
    """What else it looks at."""
    headers: tuple[str, ...] = ()
    """What an answer carries besides what all of them do."""
    auth: Auth = Auth.TOKEN_AND_UID
    permission: Permission | None = None
    own_is_free: bool = False
    """Whether everybody may ask for what is their own, and needs the permission for all else."""
    errors: tuple[type[Exception] | Exception, ...] = ()
    """The facts that it may raise besides those that go with `auth`, `permission` and `body`.

    One that is an example says what such an answer tells."""

    def route(self) -> web.RouteDef:
        """What aiohttp is told; it finds handlers, and `Front` asks them."""
        path, handler = self.path, cast(aiohttp_types.Handler, self.handler)
        for name, pattern in self.patterns.items():
            path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
        if self.method == "GET":
            return web.get(path, handler, allow_head=self.media_type != "text/event-stream")
        return web.route(self.method, path, handler)


def under(prefix: str, operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The same operations once more, under a prefix."""
    return tuple(replace(operation, path=prefix + operation.path) for operation in operations)
