"""Two formatters for wrong parameters: Rocket.Chat's text of the first error, and field by field of all errors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from service.web.http.errors import BadArgument, FieldsWrong
from service.web.http.expected_types import expected
from service.web.http.json_types import type_name
from service.web.http.param_fields import Param


class ParamError(Exception):
    """The root of what can be wrong with one parameter."""


class Missing(ParamError):
    """A required parameter is absent."""


class Repeated(ParamError):
    """The query has the parameter more than once."""


class Differs(ParamError):
    """Query and JSON body have different values."""


class WrongValue(ParamError):
    """The value does not fit the type. `item`: position in a list, if that item is what does not fit."""

    def __init__(self, value: Any, item: int | None = None) -> None:
        super().__init__()
        self.value = value
        self.item = item


class Rejected(ParamError):
    """The value fits the type and fails a check, whose text says why."""


class Errors(ABC):
    """Collects the errors of one request."""

    @abstractmethod
    def add(self, param: Param, error: ParamError) -> None:
        """Note an error, or raise at once."""

    @abstractmethod
    def end(self) -> None:
        """Raise if there were errors."""


class RocketChat(Errors):
    """Rocket.Chat's texts. The first error raises BadArgument."""

    def add(self, param: Param, error: ParamError) -> None:
        raise BadArgument(self._text(param, error))

    def end(self) -> None:
        pass

    def _text(self, param: Param, error: ParamError) -> str:
        match error:
            case Missing():
                return f"Missing key '{param.name}'"
            case Repeated():
                return f"Key '{param.name}' is given more than once"
            case Differs():
                return f"Key '{param.name}' differs between query and body"
            case WrongValue():
                return f"Expected {self._expected(param, error)}"
        return f"{error} in field {param.name}"

    def _expected(self, param: Param, wrong: WrongValue) -> str:
        field, value = f"in field {param.name}", wrong.value
        if param.expected is not None:
            return f"{param.expected} {field}"
        if wrong.item is not None:
            return self._other_type("string", value, f"{field}[{wrong.item}]")
        if param.is_list:
            return self._other_type("array", value, field)
        if param.plain is int:
            return f"a whole number of 0 or more {field}"
        if param.plain is bool:
            return f"true or false {field}"
        if not isinstance(value, str):
            return self._other_type("string", value, field)
        return f"one of {', '.join(param.choices)} {field}" if param.choices else f"non-empty string {field}"

    def _other_type(self, wanted: str, value: Any, field: str) -> str:
        return f"{wanted}, got {type_name(value)} {field}"


class BriefRocketChat(RocketChat):
    """The same without the name of the type that was sent. A null counts as absent."""

    def add(self, param: Param, error: ParamError) -> None:
        super().add(param, Missing() if isinstance(error, WrongValue) and error.value is None else error)

    def _other_type(self, wanted: str, value: Any, field: str) -> str:
        return f"{wanted} {field}"


class FieldByField(Errors):
    """The texts of the user family. `end` raises FieldsWrong with all errors, repeated parameters first."""

    def __init__(self) -> None:
        self._repeated: dict[str, list[str]] = {}
        self._others: dict[str, list[str]] = {}

    def add(self, param: Param, error: ParamError) -> None:
        (self._repeated if isinstance(error, Repeated) else self._others)[param.name] = [self._text(param, error)]

    def end(self) -> None:
        if self._repeated or self._others:
            raise FieldsWrong({**self._repeated, **self._others})

    def _text(self, param: Param, error: ParamError) -> str:
        match error:
            case Repeated():
                return "is given more than once"
            case Missing() if param.expected is None:
                return "is required"
            case Missing() | WrongValue():
                return f"{param.expected or expected(param.type, null=not param.null_is_absent)} is required"
        return str(error)
