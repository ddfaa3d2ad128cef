"""Who could be given an extension: the agents who have none, searched, sorted and in pages."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import compress
from operator import attrgetter, itemgetter
from typing import Annotated, Any

import msgspec
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.domain.directory import Directory
from service.domain.models import Person, Role
from service.domain.names import folded
from service.domain.permissions import Permission
from service.slices import map_in_slices
from service.web.app_keys import DIRECTORY
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import answered
from service.web.http.errors import BODY_ERRORS, BadArgument, BadParameter
from service.web.http.paging import Paging
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

SORTABLE = {"_id": "uid", "username": "name", "name": "display_name"}
"""By what they can be sorted, and where a person has it."""
_ORDER = r' *"(_id|username|name)" *: *(-?1|"(asc|desc)") *'
ORDERS = rf"^(\{{({_ORDER}(,{_ORDER})*| *)\}})?$"


class AgentSearch(Paging, frozen=True, rename="camel"):
    """Which agents."""

    text: Annotated[str, Meta(description="Filter: substring of name or username, case-insensitive.")] = ""
    include_extension: Annotated[str, Meta(description="Also include the agent who has this extension.")] = ""
    sort: Annotated[
        str,
        Meta(
            description='JSON object such as `{"username":1}`; -1 sorts descending. Keys: `username`, `name`, `_id`.',
            extra_json_schema={"pattern": ORDERS},
        ),
    ] = ""


AGENT_SEARCH = QueryOrJson(AgentSearch, RocketChat)


class Agent(msgspec.Struct, frozen=True):
    """Agent, as listed for the assignment of extensions."""

    uid: str = msgspec.field(name="_id")
    username: str
    name: str
    active: bool
    roles: list[Role]
    extension: str | UnsetType = UNSET


class AvailableAgents(msgspec.Struct, frozen=True):
    """Page of agents. `total` counts all matches."""

    agents: list[Agent]
    offset: int
    count: int
    total: int
    success: Yes = True


async def available(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/agents/available: active agents without an extension."""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    asked = await AGENT_SEARCH.decode(request)
    order, directory = _order(asked.sort), request.app[DIRECTORY]
    found = await _found(directory, _searchable(asked.text.strip()), asked.include_extension)
    for field, backwards in reversed(order):
        keys = await map_in_slices(_folded_of(field), found)
        by_key = sorted(zip(keys, found, strict=True), key=itemgetter(0), reverse=backwards)
        found = [person for _, person in by_key]
    agents = await map_in_slices(lambda person: _agent(directory, person), asked.of(found))
    return answered(request, AvailableAgents(agents, asked.offset, asked.most, len(found)))


def _searchable(text: str) -> str:
    """The key of a name, wider: who looks for STRASSE finds Straße."""
    return folded(text).casefold()


async def _found(directory: Directory, text: str, including: str) -> list[Person]:
    """Agents with the text in a name, who have no extension or the one to include; in order of their ids."""

    def wanted(person: Person) -> bool:
        return (
            person.role is Role.AGENT
            and person.active
            and directory.number_of(person.user_id) in (None, including)
            and (text in _searchable(person.name) or text in _searchable(person.display_name))
        )

    everybody = list(directory.people())
    found = list(compress(everybody, await map_in_slices(wanted, everybody)))
    return sorted(found, key=attrgetter("uid"))


def _folded_of(field: str) -> Callable[[Person], str]:
    return lambda person: folded(getattr(person, field))


def _agent(directory: Directory, person: Person) -> Agent:
    number = directory.number_of(person.user_id)
    return Agent(
        uid=person.uid,
        username=person.name,
        name=person.display_name,
        active=person.active,
        roles=[person.role],
        extension=number if number is not None else UNSET,
    )


def _order(sort: str) -> list[tuple[str, bool]]:
    """Fields of a person and whether backwards, the first counting most. Raises BadParameter."""
    if not sort:
        return [("name", False)]
    try:
        parsed: Any = json.loads(sort)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict) or not all(_is_order(field, way) for field, way in parsed.items()):
        shown = sort.encode(errors="replace").decode()
        raise BadParameter(f'Invalid sort parameter provided: "{shown}"')
    return [(SORTABLE[field], way in (-1, "desc")) for field, way in parsed.items()]


def _is_order(field: str, way: Any) -> bool:
    return field in SORTABLE and not isinstance(way, bool) and way in (1, -1, "asc", "desc")


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/omnichannel/agents/available",
        handler=available,
        summary="Active agents without an extension, paginated",
        details="Sorted by username unless `sort` is given.",
        query=AGENT_SEARCH,
        answer=AvailableAgents,
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(
            BadArgument("Expected a whole number of 0 or more in field count"),
            BadParameter('Invalid sort parameter provided: "backwards"'),
            *BODY_ERRORS,
        ),
    ),
)
