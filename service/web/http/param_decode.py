"""Decodes a request's parts into one struct: value by value, each from the sources that have it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET

from service.errors import Invalid
from service.web.http.param_errors import Differs, Errors, Missing, ParamError, Rejected
from service.web.http.param_fields import Param, params_of
from service.web.http.param_sources import Source

S = TypeVar("S", bound=msgspec.Struct)
Checks = Mapping[str, Callable[[Any], Any]]
"""Per parameter, a function that takes a value of its type and returns the value to use, or raises Invalid."""
NO_CHECKS: Checks = {}


def decode(
    kind: type[S],
    sources: Sequence[Source],
    errors: Callable[[], Errors],
    checks: Checks = NO_CHECKS,
    *,
    stored: bool = False,
) -> S:
    """The struct. Raises BadArgument, formatted by `errors`.

    `stored`: reject what PostgreSQL cannot store.
    """
    values: dict[str, Any] = {}
    found: Errors | None = None
    for param in params_of(kind):
        try:
            value = _value(param, sources, checks, stored)
        except ParamError as error:
            found = found or errors()
            found.add(param, error)
        else:
            if value is not UNSET:
                values[param.attribute] = value
    if found is not None:
        found.end()
    return kind(**values)


def _value(param: Param, sources: Sequence[Source], checks: Checks, stored: bool) -> Any:
    """The one value that all sources agree on, `UNSET` for none. Raises ParamError."""
    found: Any = UNSET
    for source in sources:
        if (raw := source.raw(param)) is UNSET:
            continue
        value = _checked(source, param, raw, checks, stored) if stored or checks else source.converted(param, raw)
        if found is not UNSET and value != found:
            raise Differs
        found = value
    if found is UNSET and param.required:
        raise Missing
    return found


def _checked(source: Source, param: Param, raw: Any, checks: Checks, stored: bool) -> Any:
    try:
        if stored:
            _require_storable(raw)
        value, check = source.converted(param, raw), checks.get(param.name)
        return value if check is None else check(value)
    except Invalid as error:
        raise Rejected(str(error)) from None


def _require_storable(value: Any) -> None:
    """Raises Invalid for JSON that PostgreSQL cannot store: NUL, half a surrogate pair, an infinite number."""
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise Invalid("this text cannot be stored")
    elif isinstance(value, float):
        if not isfinite(value):
            raise Invalid("this number cannot be stored")
    elif isinstance(value, list):
        for item in value:
            _require_storable(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            _require_storable(key)
            _require_storable(item)
