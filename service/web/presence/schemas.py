"""Schemas of the presence calls."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from service.domain.presence.item import Item
from service.web.http.wait import Wait
from service.web.openapi.operation import AnyOf, No, Yes

ExtensionName = Annotated[
    str,
    Meta(
        description="Extension number, or the name of an endpoint of exactly one extension.",
        extra_json_schema={"pattern": "^[A-Za-z0-9_.+-]{1,80}$"},
    ),
]


class Filters(msgspec.Struct, frozen=True, rename="camel"):
    """Filters on the extensions visible to the caller."""

    extension: Annotated[
        list[str],
        Meta(description="Extension numbers or endpoint names, repeated or comma-separated.", extra={"list": "commas"}),
    ] = []
    user_id: Annotated[
        list[str], Meta(description="User IDs, repeated or comma-separated.", extra={"list": "commas"})
    ] = []


EVERYTHING = Filters()


class PresenceQuery(Filters, frozen=True):
    """Filters, cursor and long polling."""

    since: Annotated[
        str,
        Meta(
            description="Cursor of an earlier response. Only later changes are returned.", extra={"repeated": "first"}
        ),
    ] = ""
    wait: Wait = 0.0


class StreamQuery(Filters, frozen=True):
    """Filters of the stream, and the queues that it shows."""

    queues: Annotated[
        list[str],
        Meta(
            description="Names of queues, 200 at most, repeated or comma-separated. None: the stream shows no queues.",
            extra={"list": "commas"},
        ),
    ] = []


class TicketQuery(msgspec.Struct, frozen=True):
    """A stream's ticket."""

    ticket: Annotated[str | None, Meta(extra={"repeated": "first"})] = None


class PresencePath(msgspec.Struct, frozen=True):
    """The requested extension."""

    extension: ExtensionName


class Gone(msgspec.Struct, frozen=True):
    """Removed extension."""

    extension: str
    deleted: Yes = True


class ItemOrGone(AnyOf):
    """A changed or removed extension."""

    alternatives = (Item, Gone)


class Picture(msgspec.Struct, frozen=True):
    """Snapshot of all extensions visible to the caller."""

    success: Yes
    full: Yes
    cursor: str
    presence: list[Item]


class ChangedSince(msgspec.Struct, frozen=True):
    """Changes since a cursor."""

    success: Yes
    full: No
    cursor: str
    presence: list[ItemOrGone]


class PresenceAnswer(AnyOf):
    """A snapshot, or changes. A `since` that is too old, from another replica or made up gets a snapshot."""

    alternatives = (Picture, ChangedSince)


class OnePresence(msgspec.Struct, frozen=True):
    """Presence of one extension."""

    success: Yes
    cursor: str
    presence: Item
