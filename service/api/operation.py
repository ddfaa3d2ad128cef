"""An operation: one method on one path, its handler, and what the description says of it.

Each family's module ends with its `OPERATIONS`; routes and OpenAPI description are both made from them, so neither
can tell of a call that the other does not know.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from service.api.permissions import Permission


class Auth(enum.Enum):
    """Which headers a call demands."""

    NONE = "none"
    TOKEN = "X-Auth-Token"  # noqa: S105 - a header's name
    TOKEN_AND_UID = "X-Auth-Token and X-User-Id"  # noqa: S105


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """`query` and `body` are structs whose fields are the arguments; `answer` is the type of a 200's JSON."""

    method: str
    path: str
    handler: Handler = field(repr=False)
    summary: str
    """One line, for the description."""
    answer: Any
    """A msgspec type; None: the 200 is no JSON, see `media_type`."""
    media_type: str = "application/json"
    query: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    form: bool = False
    """Whether the body may come as a form too."""
    conditional: bool = False
    """Whether it has an `ETag` and knows 304."""
    auth: Auth = Auth.TOKEN_AND_UID
    permission: Permission | None = None
    errors: tuple[type[Exception], ...] = ()
    """The facts that it may raise besides those that go with `auth`, `permission` and `body`."""

    def route(self) -> web.RouteDef:
        """What aiohttp is told."""
        if self.method == "GET":
            return web.get(self.path, self.handler, allow_head=self.media_type != "text/event-stream")
        return web.route(self.method, self.path, self.handler)
