"""Where a parameter's value comes from: the URL, a JSON body beside it, or a body alone. Each converts its own way."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET
from multidict import MultiMapping

from service.web.http.numbers import decimal, whole
from service.web.http.param_errors import Repeated, WrongValue
from service.web.http.param_fields import Param


class Source(ABC):
    """One part of a request."""

    __slots__ = ()

    @abstractmethod
    def raw(self, param: Param) -> Any:
        """The value as it came, `UNSET` if it is absent. Raises Repeated."""

    @abstractmethod
    def converted(self, param: Param, value: Any) -> Any:
        """The value in the parameter's type. Raises WrongValue."""


class QuerySource(Source):
    """The URL's query: text only. A number is written in ASCII digits."""

    __slots__ = ("_empty_is_absent", "_query")

    def __init__(self, query: MultiMapping[str], *, empty_is_absent: bool = False) -> None:
        self._query = query
        self._empty_is_absent = empty_is_absent

    def raw(self, param: Param) -> Any:
        if param.is_list:
            return self._items(param) or UNSET
        if param.name not in self._query:
            return UNSET
        values = self._query.getall(param.name)
        if self._empty_is_absent:
            values = [value for value in values if value]
        if len(values) > 1 and not param.first_counts:
            raise Repeated
        return values[0] if values else UNSET

    def converted(self, param: Param, value: Any) -> Any:
        return value if param.is_list else _from_text(param, value)

    def _items(self, param: Param) -> list[str]:
        """A list's items; empty ones do not count."""
        if param.by_commas:
            texts = self._query.getall(param.name) if param.name in self._query else ()
            return [item for text in texts for each in text.split(",") if (item := each.strip())]
        texts = [*self._query.getall(f"{param.name}[]", ()), *self._query.getall(param.name, ())]
        return [text for text in texts if text]


class JsonBesideQuerySource(Source):
    """The JSON object sent with a GET. A number may be JSON's or, as in the query, text."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def raw(self, param: Param) -> Any:
        return UNSET if param.query_only else _of_object(self._given, param)

    def converted(self, param: Param, value: Any) -> Any:
        if param.is_list:
            return self._items(value)
        if param.plain is int and type(value) is int:
            value = str(value)
        return _from_text(param, value)

    def _items(self, value: Any) -> list[str]:
        if not isinstance(value, list):
            raise WrongValue(value)
        for place, item in enumerate(value):
            if not isinstance(item, str):
                raise WrongValue(item, place)
        return [item for item in value if item]


class BodySource(Source):
    """The object of a body, JSON or a form. JSON has one kind of numbers, so 5.0 is a whole number."""

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def raw(self, param: Param) -> Any:
        return _of_object(self._given, param)

    def converted(self, param: Param, value: Any) -> Any:
        try:
            return _converted(param, value)
        except WrongValue:
            if not isinstance(value, float) or not value.is_integer():
                raise
        try:
            return _converted(param, int(value))
        except WrongValue:
            raise WrongValue(value) from None


def _of_object(given: Mapping[str, Any], param: Param) -> Any:
    value = given.get(param.name, UNSET)
    return UNSET if value is None and param.null_is_absent else value


def _from_text(param: Param, value: Any) -> Any:
    try:
        return _converted(param, value)
    except WrongValue:
        number = _number(param, value) if isinstance(value, str) else None
        if number is None:
            raise
    try:
        return _converted(param, number)
    except WrongValue:
        raise WrongValue(value) from None


def _number(param: Param, text: str) -> float | None:
    return decimal(text) if param.plain is float else whole(text)


def _converted(param: Param, value: Any) -> Any:
    if param.is_text and isinstance(value, str) and (value or not param.not_empty):
        return value
    try:
        return msgspec.convert(value, param.type)
    except (msgspec.ValidationError, UnicodeEncodeError):  # the latter: half a surrogate is compared with choices
        raise WrongValue(value) from None
