"""Who has which extension, for whoever gives them out: pages, filters, and what is free."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.domain.directory import Directory
from service.domain.models import Extension, Reading
from service.domain.permissions import Permission
from service.errors import QueuesNotKnown
from service.slices import map_in_slices
from service.web.app_keys import DIRECTORY, LINKS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import FRESHNESS, answered, reading_of, state_names
from service.web.http.errors import BODY_ERRORS, BadArgument
from service.web.http.paging import Paging
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/omnichannel"


class ExtensionFilters(Paging, frozen=True, rename="camel"):
    """Which extensions; a filter that is empty is none."""

    status: Annotated[str, Meta(description="Filter: state, in this service's spelling.")] = ""
    agent_id: Annotated[str, Meta(description="Filter: ID of the assigned user.")] = ""
    queues: Annotated[
        list[str], Meta(description="Filter: member of at least one of these queues. Repeat `queues[]`.")
    ] = msgspec.field(default_factory=list)
    extension: Annotated[str, Meta(description="Filter: extension number.")] = ""


EXTENSION_FILTERS = QueryOrJson(ExtensionFilters, RocketChat)


class AgentsExtension(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Extension with its user. A free extension has no user fields."""

    user_id: str | UnsetType = UNSET
    username: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    queues: list[str]
    extension: str
    state: str
    password: str = ""
    authtype: str = ""


class AgentsExtensions(msgspec.Struct, frozen=True):
    """Page of matching extensions. `total` counts all matches."""

    extensions: list[AgentsExtension]
    offset: int
    count: int
    total: int
    success: Yes = True


class WhichNumbers(msgspec.Struct, frozen=True, rename="camel"):
    """`free`: nobody's; `allocated`: somebody's; `available`: free, and before them the person's own."""

    type: Literal["free", "allocated", "available"]
    user_id: Annotated[
        str | None, Meta(description="User ID. Either this or `username` is required and may be empty.")
    ] = None
    username: Annotated[str | None, Meta(description="Username, instead of the user ID.")] = None


WHICH_NUMBERS = QueryOrJson(WhichNumbers, RocketChat)


class Numbers(msgspec.Struct, frozen=True):
    """Sorted extension numbers."""

    extensions: list[str]
    success: Yes = True


async def extensions(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/extensions"""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    asked = await EXTENSION_FILTERS.decode(request)
    found = _filtered(request, asked)
    page = asked.of(found)

    def shown(extension: Extension) -> tuple[Reading, AgentsExtension]:
        reading = reading_of(request, extension)
        return reading, _shown(request, extension, reading)

    made = await map_in_slices(shown, page)
    answer = AgentsExtensions([each for _, each in made], asked.offset, asked.most, len(found))
    return answered(request, answer, [reading for reading, _ in made])


async def numbers(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/extension"""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    asked = await WHICH_NUMBERS.decode(request)
    if asked.user_id is None and asked.username is None:
        raise BadArgument("Missing key 'userId' or 'username'")
    directory = request.app[DIRECTORY]
    if asked.type == "allocated":
        return answered(request, Numbers([number for number in directory.numbers() if directory.is_assigned(number)]))
    free = [extension.number for extension in directory.registrable_extensions() if extension.user_id is None]
    own = _own(directory, asked) if asked.type == "available" else []
    return answered(request, Numbers([*own, *free]))


def _own(directory: Directory, asked: WhichNumbers) -> list[str]:
    person = directory.person_by_uid(asked.user_id) if asked.user_id else directory.person_by_name(asked.username or "")
    number = directory.number_of(person.user_id) if person is not None else None
    return [number] if number is not None else []


def _filtered(request: web.Request, asked: ExtensionFilters) -> list[Extension]:
    directory, words = request.app[DIRECTORY], state_names(request)
    found: Iterable[Extension] = directory.registrable_extensions()
    if number := asked.extension.strip():
        found = [extension for extension in found if extension.number == number]
    if uid := asked.agent_id.strip():
        person = directory.person_by_uid(uid)
        user_id = person.user_id if person is not None else -1
        found = [extension for extension in found if extension.user_id == user_id]
    if status := asked.status.strip():
        found = [extension for extension in found if words[reading_of(request, extension).state] == status]
    if asked.queues:
        if all(link.queues is None for link in request.app[LINKS].values()):
            raise QueuesNotKnown
        wanted = set(asked.queues)
        found = [extension for extension in found if wanted.intersection(_queues_of(request, extension))]
    return list(found)


def _shown(request: web.Request, extension: Extension, reading: Reading) -> AgentsExtension:
    person = request.app[DIRECTORY].extension_holder(extension)
    return AgentsExtension(
        user_id=person.uid if person is not None else UNSET,
        username=person.name if person is not None else UNSET,
        name=person.display_name if person is not None else UNSET,
        queues=_queues_of(request, extension),
        extension=extension.number,
        state=state_names(request)[reading.state],
    )


def _queues_of(request: web.Request, extension: Extension) -> list[str]:
    link = request.app[LINKS].get(extension.call_server)
    return list(link.queues_of(extension.number)) if link is not None else []


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}/extensions",
        handler=extensions,
        summary="Extensions with user, queues and live state, paginated",
        details="Sorted by number. Empty filters are ignored. Unknown queues are omitted.",
        query=EXTENSION_FILTERS,
        answer=AgentsExtensions,
        headers=FRESHNESS,
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(BadArgument("Expected a whole number of 0 or more in field count"), QueuesNotKnown, *BODY_ERRORS),
    ),
    Operation(
        method="GET",
        path=f"{PATH}/extension",
        handler=numbers,
        summary="Extension numbers by allocation: free, allocated, or available to a user",
        query=WHICH_NUMBERS,
        answer=Numbers,
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(BadArgument("Missing key 'userId' or 'username'"), *BODY_ERRORS),
    ),
)
