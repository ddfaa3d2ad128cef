"""Describes the values that a field accepts, for error messages."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from msgspec import UnsetType, inspect


@lru_cache
def expected(type_: Any, *, null: bool = True) -> str:
    """The values of a type, such as `a whole number from 1 to 200`. `null`: whether to mention an accepted null."""
    kinds = list(_kinds(inspect.type_info(type_)))
    words = [_words(kind) for kind in kinds if not isinstance(kind, inspect.NoneType)]
    return " or ".join([*words, *(["null"] if null and len(words) < len(kinds) else [])])


def _kinds(info: inspect.Type) -> Iterable[inspect.Type]:
    while isinstance(info, inspect.Metadata):
        info = info.type
    for kind in info.types if isinstance(info, inspect.UnionType) else (info,):
        if isinstance(kind, inspect.Metadata):
            yield from _kinds(kind)
        elif not (isinstance(kind, inspect.CustomType) and kind.cls is UnsetType):
            yield kind


def _words(kind: inspect.Type) -> str:
    match kind:
        case inspect.IntType(ge=None, le=None):
            return "a whole number"
        case inspect.IntType(le=None):
            return f"a whole number of {kind.ge} or more"
        case inspect.IntType():
            return f"a whole number from {kind.ge} to {kind.le}"
        case inspect.StrType(min_length=int()):
            return "a string that is not empty"
        case inspect.StrType():
            return "a string"
        case inspect.BoolType():
            return "true or false"
        case inspect.EnumType():
            return f"one of {', '.join(each.value for each in kind.cls)}"
        case inspect.LiteralType():
            return f"one of {', '.join(map(str, kind.values))}"
        case inspect.DateTimeType():
            return "an RFC 3339 time with its zone"
        case inspect.ListType(item_type=inspect.StrType()):
            return "a list of strings"
        case inspect.ListType():
            return "a list"
        case inspect.AnyType():
            return "any JSON"
    raise TypeError(f"no description of {kind}")
