"""A call's arguments: from the query, from a JSON body sent with the GET, or the same from both; as one struct.

Each field of the struct is one argument under its encoded name; one with a default may be left out, one with a
`min_length` may not be empty. A list comes as `queues[]=a&queues[]=b` or, in a body, as an array; its empty items are
dropped. What is wrong is told in Rocket.Chat's manner, and always names the argument.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec
from aiohttp import web

from service.web.http import body
from service.web.http.errors import BadArgument
from service.web.http.numbers import whole

S = TypeVar("S", bound=msgspec.Struct)
NotEmpty = Annotated[str, msgspec.Meta(min_length=1)]


async def of_query(request: web.Request, shape: type[S]) -> S:
    """The arguments of a GET. Raises BadArgument."""
    query = {name: request.query.getall(name) for name in request.query}
    raw = await body.read(request)
    return parsed(shape, query, body.parse_optional(raw))


async def text(request: web.Request, name: str) -> str:
    """The one argument of a GET that has no other: a string that is not empty. Raises BadArgument."""
    found = await optional_text(request, name)
    if found is None:
        raise BadArgument(f"Missing key '{name}'")
    return found


async def optional_text(request: web.Request, name: str) -> str | None:
    """The same where it may be left out: then None. Raises BadArgument."""
    raw, values = await body.read(request), request.query.getall(name, [])
    if len(values) == 1 and values[0] and not raw:
        return values[0]  # as polls ask
    given = _given({name: values}, body.parse_optional(raw), name, NotEmpty)
    return given[0] if given else None


async def of_body(request: web.Request, shape: type[S]) -> S:
    """The arguments of a JSON body. Raises BadArgument, BodyUnsupported."""
    return parsed(shape, {}, await body.read_object(request))


def parsed(shape: type[S], query: Mapping[str, list[str]], object_: Mapping[str, Any]) -> S:
    """The struct that a query and a body's object make. Raises BadArgument."""
    types = get_type_hints(shape, include_extras=True)
    found: dict[str, Any] = {}
    for field in msgspec.structs.fields(shape):
        name, type_ = field.encode_name, types[field.name]
        left_out = not field.required and object_.get(name) is None
        given = _given(query, {} if left_out else object_, name, type_)
        if not given and field.required:
            raise BadArgument(f"Missing key '{name}'")
        if given:
            found[field.name] = given[0]
    return shape(**found)


def _given(query: Mapping[str, list[str]], object_: Mapping[str, Any], name: str, type_: Any) -> Sequence[Any]:
    """An argument's value from the query, from the body, or from both."""
    given = [*_in_query(query, name, type_), *([_in_body(object_[name], name, type_)] if name in object_ else [])]
    if any(value != given[0] for value in given):
        raise BadArgument(f"Key '{name}' differs between query and body")
    return given


def _in_query(query: Mapping[str, list[str]], name: str, type_: Any) -> Sequence[Any]:
    """The one value from the query, or none."""
    if _is_list(type_):
        values = [value for value in query.get(f"{name}[]", []) + query.get(name, []) if value]
        return [values] if values else []
    values = query.get(name, [])
    if len(values) > 1:
        raise BadArgument(f"Key '{name}' is given more than once")
    return [_value(value, name, type_) for value in values]


def _in_body(value: Any, name: str, type_: Any) -> Any:
    if not _is_list(type_):
        return _value(value, name, type_)
    if not isinstance(value, list):
        raise BadArgument(f"Expected array, got {body.type_name(value)} in field {name}")
    items = [_value(item, f"{name}[{place}]", str) for place, item in enumerate(value)]
    return [item for item in items if item]


def _value(value: Any, name: str, type_: Any) -> Any:
    plain, rules = _apart(type_)
    if plain is int:
        return _whole_number(value, name)
    if plain is bool and isinstance(value, bool):
        return value
    if plain is bool:
        raise BadArgument(f"Expected true or false in field {name}")
    if not isinstance(value, str):
        raise BadArgument(f"Expected string, got {body.type_name(value)} in field {name}")
    if not value and any(rule.min_length for rule in rules):
        raise BadArgument(f"Expected non-empty string in field {name}")
    if get_origin(plain) is Literal and value not in get_args(plain):
        raise BadArgument(f"Expected one of {', '.join(get_args(plain))} in field {name}")
    return value


def _apart(type_: Any) -> tuple[Any, list[msgspec.Meta]]:
    """A type without its annotations, and those that are rules."""
    rules: list[msgspec.Meta] = []
    while True:
        if get_origin(type_) is Annotated:
            type_, *annotations = get_args(type_)
            rules += [each for each in annotations if isinstance(each, msgspec.Meta)]
        elif get_origin(type_) in (Union, UnionType):  # None: it may be left out
            (type_,) = [each for each in get_args(type_) if each is not NoneType]
        else:
            return type_, rules


def _is_list(type_: Any) -> bool:
    return get_origin(_apart(type_)[0]) is list


def _whole_number(value: Any, name: str) -> int:
    text = str(value) if type(value) is int else value
    number = whole(text) if isinstance(text, str) else None
    if number is None:
        raise BadArgument(f"Expected a whole number of 0 or more in field {name}")
    return number
