"""What is asked about presence, and what is answered."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from service.domain.presence.item import Item
from service.web.openapi.operation import AnyOf, No, Yes

Wait = Annotated[float, Meta(ge=0, description="Seconds to hold the answer until something changes, 30 at most.")]
ExtensionNumber = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,40}$", description="An extension's number.")]


class Filters(msgspec.Struct, frozen=True, rename="camel"):
    """Which of the extensions that the caller may see."""

    extension: Annotated[list[str], Meta(description="Only these numbers; repeated, or separated by commas.")] = []
    user_id: Annotated[list[str], Meta(description="Only these people's, by uid; the same way.")] = []


class PresenceQuery(Filters, frozen=True):
    """Which, and since when."""

    since: Annotated[str, Meta(description="A cursor of an answer before: only what changed is answered.")] = ""
    wait: Wait = 0.0


class PresencePath(msgspec.Struct, frozen=True):
    """Which one."""

    extension: ExtensionNumber


class Gone(msgspec.Struct, frozen=True):
    """An extension that vanished."""

    extension: str
    deleted: Yes = True


class ItemOrGone(AnyOf):
    """What became of an extension."""

    alternatives = (Item, Gone)


class Picture(msgspec.Struct, frozen=True):
    """All that the caller may see."""

    success: Yes
    full: Yes
    cursor: str
    presence: list[Item]


class ChangedSince(msgspec.Struct, frozen=True):
    """What changed since a cursor."""

    success: Yes
    full: No
    cursor: str
    presence: list[ItemOrGone]


class PresenceAnswer(AnyOf):
    """The whole picture, also where `since` is too old, from another replica or made up; or what changed."""

    alternatives = (Picture, ChangedSince)


class OnePresence(msgspec.Struct, frozen=True):
    """One extension."""

    success: Yes
    cursor: str
    presence: Item
