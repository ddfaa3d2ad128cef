"""Extensions with their users: paginated, filtered, and by availability."""

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
from service.web.connector.responses import read_state, state_names, success_response
from service.web.http.errors import BODY_ERRORS, BadArgument
from service.web.http.headers import FRESHNESS_HEADERS
from service.web.http.paging import Paging
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/omnichannel"


class ExtensionFilters(Paging, frozen=True, rename="camel"):
    """Filters and page. Empty filters are ignored."""

    status: Annotated[str, Meta(description="Filter: state, in this service's spelling.")] = ""
    agent_id: Annotated[str, Meta(description="Filter: ID of the assigned user.")] = ""
    queues: Annotated[
        list[str], Meta(description="Filter: member of at least one of these queues. Repeat `queues[]`.")
    ] = msgspec.field(default_factory=list)
    extension: Annotated[
        str, Meta(description="Filter: extension number, or the name of an endpoint of exactly one.")
    ] = ""


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


class AvailabilityQuery(msgspec.Struct, frozen=True, rename="camel"):
    """`free`: unassigned; `allocated`: assigned; `available`: the user's own, then the free ones."""

    type: Literal["free", "allocated", "available"]
    user_id: Annotated[
        str | None, Meta(description="User ID. Either this or `username` is required and may be empty.")
    ] = None
    username: Annotated[str | None, Meta(description="Username, instead of the user ID.")] = None


AVAILABILITY = QueryOrJson(AvailabilityQuery, RocketChat)


class Numbers(msgspec.Struct, frozen=True):
    """Sorted extension numbers."""

    extensions: list[str]
    success: Yes = True


async def list_assigned(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/extensions"""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    query = await EXTENSION_FILTERS.decode(request)
    matching = _filter(request, query)
    page = query.of(matching)

    def render(extension: Extension) -> tuple[Reading, AgentsExtension]:
        reading = read_state(request, extension)
        return reading, _render(request, extension, reading)

    rendered = await map_in_slices(render, page)
    answer = AgentsExtensions([item for _, item in rendered], query.offset, query.most, len(matching))
    return success_response(request, answer, [reading for reading, _ in rendered])


async def list_numbers(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/extension"""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    query = await AVAILABILITY.decode(request)
    if query.user_id is None and query.username is None:
        raise BadArgument("Missing key 'userId' or 'username'")
    directory = request.app[DIRECTORY]
    if query.type == "allocated":
        return success_response(
            request, Numbers([number for number in directory.numbers() if directory.is_assigned(number)])
        )
    free = [extension.number for extension in directory.registrable_extensions() if extension.user_id is None]
    own = _own_number(directory, query) if query.type == "available" else []
    return success_response(request, Numbers([*own, *free]))


def _own_number(directory: Directory, query: AvailabilityQuery) -> list[str]:
    person = directory.person_by_uid(query.user_id) if query.user_id else directory.person_by_name(query.username or "")
    number = directory.number_of(person.user_id) if person is not None else None
    return [number] if number is not None else []


def _filter(request: web.Request, query: ExtensionFilters) -> list[Extension]:
    directory, names = request.app[DIRECTORY], state_names(request)
    matching: Iterable[Extension] = directory.registrable_extensions()
    if name := query.extension.strip():
        found = directory.find_extension(name)
        matching = [found] if found is not None else []
    if uid := query.agent_id.strip():
        person = directory.person_by_uid(uid)
        user_id = person.user_id if person is not None else -1
        matching = [extension for extension in matching if extension.user_id == user_id]
    if status := query.status.strip():
        matching = [extension for extension in matching if names[read_state(request, extension).state] == status]
    if query.queues:
        if all(link.queues is None for link in request.app[LINKS].values()):
            raise QueuesNotKnown
        wanted = set(query.queues)
        matching = [extension for extension in matching if wanted.intersection(_queues_of(request, extension))]
    return list(matching)


def _render(request: web.Request, extension: Extension, reading: Reading) -> AgentsExtension:
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
    return list(link.queues_of(extension)) if link is not None else []


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}/extensions",
        handler=list_assigned,
        summary="Extensions with user, queues and live state, paginated",
        details="Sorted by number. Empty filters are ignored. Unknown queues are omitted.",
        query=EXTENSION_FILTERS,
        answer=AgentsExtensions,
        headers=FRESHNESS_HEADERS,
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(BadArgument("Expected a whole number of 0 or more in field count"), QueuesNotKnown, *BODY_ERRORS),
    ),
    Operation(
        method="GET",
        path=f"{PATH}/extension",
        handler=list_numbers,
        summary="Extension numbers by allocation: free, allocated, or available to a user",
        query=AVAILABILITY,
        answer=Numbers,
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(BadArgument("Missing key 'userId' or 'username'"), *BODY_ERRORS),
    ),
)
