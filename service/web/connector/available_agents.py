"""Agents without an extension: filtered, sorted and paginated."""

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
from service.domain.permissions import Permission
from service.domain.user_names import folded
from service.slices import map_in_slices
from service.web.app_keys import DIRECTORY
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import success_response
from service.web.http.errors import BODY_ERRORS, BadArgument, BadParameter
from service.web.http.paging import Paging
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

SORTABLE = {"_id": "uid", "username": "name", "name": "display_name"}
"""Sort keys and the attributes of a person that hold them."""
_SORT_KEY = r' *"(_id|username|name)" *: *(-?1|"(asc|desc)") *'
SORT_PATTERN = rf"^(\{{({_SORT_KEY}(,{_SORT_KEY})*| *)\}})?$"


class AgentSearch(Paging, frozen=True, rename="camel"):
    """Filters, order and page."""

    text: Annotated[str, Meta(description="Filter: substring of name or username, case-insensitive.")] = ""
    include_extension: Annotated[str, Meta(description="Also include the agent who has this extension.")] = ""
    sort: Annotated[
        str,
        Meta(
            description='JSON object such as `{"username":1}`; -1 sorts descending. Keys: `username`, `name`, `_id`.',
            extra_json_schema={"pattern": SORT_PATTERN},
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


async def list_available(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/agents/available: active agents without an extension."""
    require_permission(await require_caller(request), Permission.MANAGE_AGENT_EXTENSIONS)
    query = await AGENT_SEARCH.decode(request)
    order, directory = _parse_order(query.sort), request.app[DIRECTORY]
    including = directory.find_extension(query.include_extension)
    number = including.number if including is not None else query.include_extension
    people = await _find(directory, _search_key(query.text.strip()), number)
    for field, descending in reversed(order):
        keys = await map_in_slices(_sort_key(field), people)
        by_key = sorted(zip(keys, people, strict=True), key=itemgetter(0), reverse=descending)
        people = [person for _, person in by_key]
    agents = await map_in_slices(lambda person: _render(directory, person), query.of(people))
    return success_response(request, AvailableAgents(agents, query.offset, query.most, len(people)))


def _search_key(text: str) -> str:
    """The key under which a name is searched, also by case folding: STRASSE finds Straße."""
    return folded(text).casefold()


async def _find(directory: Directory, text: str, including: str) -> list[Person]:
    """Agents with the text in a name and without an extension, or with the one to include; ordered by uid."""

    def matches(person: Person) -> bool:
        return (
            person.role is Role.AGENT
            and person.active
            and directory.number_of(person.user_id) in (None, including)
            and (text in _search_key(person.name) or text in _search_key(person.display_name))
        )

    people = list(directory.people())
    matching = compress(people, await map_in_slices(matches, people))
    return sorted(matching, key=attrgetter("uid"))


def _sort_key(field: str) -> Callable[[Person], str]:
    return lambda person: folded(getattr(person, field))


def _render(directory: Directory, person: Person) -> Agent:
    number = directory.number_of(person.user_id)
    return Agent(
        uid=person.uid,
        username=person.name,
        name=person.display_name,
        active=person.active,
        roles=[person.role],
        extension=number if number is not None else UNSET,
    )


def _parse_order(sort: str) -> list[tuple[str, bool]]:
    """Attributes of a person and whether descending, most significant first. Raises BadParameter."""
    if not sort:
        return [("name", False)]
    try:
        parsed: Any = json.loads(sort)
    except (ValueError, RecursionError):
        parsed = None
    if not isinstance(parsed, dict) or not all(_is_sort_key(field, direction) for field, direction in parsed.items()):
        printable = sort.encode(errors="replace").decode()
        raise BadParameter(f'Invalid sort parameter provided: "{printable}"')
    return [(SORTABLE[field], direction in (-1, "desc")) for field, direction in parsed.items()]


def _is_sort_key(field: str, direction: Any) -> bool:
    return field in SORTABLE and not isinstance(direction, bool) and direction in (1, -1, "asc", "desc")


OPERATIONS = (
    Operation(
        method="GET",
        path="/api/v1/omnichannel/agents/available",
        handler=list_available,
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
