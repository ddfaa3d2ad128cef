"""Arguments read into a struct, field by field, so that everything that is wrong is told at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec.structs import FieldInfo
from multidict import MultiMapping

from service.errors import Invalid
from service.web.http.errors import FieldsWrong
from service.web.http.expected_types import expected
from service.web.http.numbers import whole

S = TypeVar("S", bound=msgspec.Struct)
Checks = Mapping[str, Callable[[Any], Any]]
"""For a field, what takes a value of its type and returns what is stored, or raises Invalid."""
NONE: Checks = {}

_fields = lru_cache(msgspec.structs.fields)


def of_body(kind: type[S], given: Mapping[str, Any], checks: Checks = NONE) -> S:
    """An object's values. What the struct does not name is left alone. Raises FieldsWrong."""
    return _struct(kind, given, checks, {}, strict=True)


def of_query(kind: type[S], query: MultiMapping[str]) -> S:
    """The arguments in a URL; an empty one counts as not given. Raises FieldsWrong."""
    given: dict[str, str] = {}
    wrong: dict[str, list[str]] = {}
    for field in _fields(kind):
        values = [value for value in query.getall(field.encode_name, []) if value]
        if len(values) > 1:
            wrong[field.encode_name] = ["is given more than once"]
        elif values:
            given[field.encode_name] = values[0]
    return _struct(kind, given, NONE, wrong, strict=False)


def _struct(kind: type[S], given: Mapping[str, Any], checks: Checks, wrong: dict[str, list[str]], *, strict: bool) -> S:
    values = {}
    for field in _fields(kind):
        name = field.encode_name
        if name in given:
            try:
                values[field.name] = _value(field, given[name], checks, strict=strict)
            except msgspec.ValidationError:
                wrong[name] = [f"{expected(field.type, null=strict)} is required"]
            except Invalid as error:
                wrong[name] = [str(error)]
        elif field.required:
            wrong[name] = ["is required"]
    if wrong:
        raise FieldsWrong(wrong)
    return kind(**values)


def _value(field: FieldInfo, value: Any, checks: Checks, *, strict: bool) -> Any:
    _storable(value)
    try:
        converted = msgspec.convert(value, field.type)
    except msgspec.ValidationError:
        if (number := _number(value, strict=strict)) is None:
            raise
        converted = msgspec.convert(number, field.type)
    check = checks.get(field.encode_name)
    return check(converted) if check is not None else converted


def _number(value: Any, *, strict: bool) -> int | None:
    """The whole number that is meant: JSON has one kind of numbers, and a URL has only text."""
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return whole(value) if isinstance(value, str) and not strict else None


def _storable(value: Any) -> None:
    """JSON may say what PostgreSQL cannot hold: the character NUL, half a surrogate, a number beyond bounds."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise Invalid("this text cannot be stored")
    elif isinstance(value, float):
        if not isfinite(value):
            raise Invalid("this number cannot be stored")
    elif isinstance(value, list):
        for item in value:
            _storable(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key)
            _storable(item)
