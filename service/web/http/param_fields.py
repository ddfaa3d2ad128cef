"""The fields of a struct as parameters of a request: name, type, and the facts in `Meta(extra=…)` beyond the type.

The facts are about reading only, so the API description does not show them:

- `expected`: the expected value in words, for error texts.
- `repeated`: `first` if the first of several values in the URL counts. Otherwise a repetition is an error.
- `query_only`: true if the parameter is never read from a JSON body.
- `list`: `commas` if a list in the URL is comma-separated. Otherwise its name may end in `[]`, as in PHP.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from msgspec import UNSET, UnsetType


@dataclass(frozen=True, slots=True, kw_only=True)
class Param:
    """One field of a struct."""

    attribute: str
    name: str
    """Name on the wire."""
    type: Any
    plain: Any
    """The type without annotations, null and `UNSET`."""
    is_text: bool
    """Whether any string will do, apart from an empty one if `not_empty`. msgspec would look at the type each time."""
    not_empty: bool
    required: bool
    null_is_absent: bool
    """False if a null is a value: for a required field, and for a field that is `UNSET` when absent."""
    choices: tuple[str, ...]
    """Values of a `Literal` or an enum, in the declared order."""
    expected: str | None
    first_counts: bool
    query_only: bool
    by_commas: bool
    is_list: bool


@lru_cache
def params_of(kind: type[msgspec.Struct]) -> tuple[Param, ...]:
    """The parameters of a struct, in its order."""
    return tuple(map(_param, msgspec.structs.fields(kind)))


def _param(field: msgspec.structs.FieldInfo) -> Param:
    plain, metas = _apart(field.type)
    facts: Mapping[str, Any] = {key: value for meta in metas for key, value in (meta.extra or {}).items()}
    return Param(
        attribute=field.name,
        name=field.encode_name,
        type=field.type,
        plain=plain,
        is_text=plain is str and not any(_narrows(meta) for meta in metas),
        not_empty=any(meta.min_length == 1 for meta in metas),
        required=field.required,
        null_is_absent=not field.required and field.default is not UNSET,
        choices=_choices(plain),
        expected=facts.get("expected"),
        first_counts=facts.get("repeated") == "first",
        query_only=facts.get("query_only", False),
        by_commas=facts.get("list") == "commas",
        is_list=get_origin(plain) is list,
    )


def _narrows(meta: msgspec.Meta) -> bool:
    return meta.max_length is not None or meta.pattern is not None or meta.min_length not in (None, 0, 1)


def _apart(type_: Any) -> tuple[Any, list[msgspec.Meta]]:
    """A type without annotations, null and `UNSET`; and the annotations."""
    metas: list[msgspec.Meta] = []
    while True:
        if get_origin(type_) is Annotated:
            type_, *annotations = get_args(type_)
            metas += [each for each in annotations if isinstance(each, msgspec.Meta)]
        elif get_origin(type_) in (Union, UnionType):
            rest = [each for each in get_args(type_) if each not in (NoneType, UnsetType)]
            if len(rest) != 1:
                return type_, metas
            type_ = rest[0]
        else:
            return type_, metas


def _choices(plain: Any) -> tuple[str, ...]:
    if get_origin(plain) is Literal:
        return tuple(map(str, get_args(plain)))
    return tuple(plain) if isinstance(plain, type) and issubclass(plain, enum.StrEnum) else ()
