"""The error responses of an operation: its own errors, those of its credentials, and its family's tables."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from service.errors import Unavailable
from service.web.http.error_responses import family_of
from service.web.http.errors import (
    BODY_ERRORS,
    BadArgument,
    Forbidden,
    NotPermitted,
    OutOfScope,
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    WrongMethod,
)
from service.web.openapi import headers
from service.web.openapi.error_schemas import Envelope, envelope_of
from service.web.openapi.json_schemas import Schemas
from service.web.openapi.operation import Auth, Operation

ERROR_HEADERS: dict[type[Exception], str] = {
    WrongMethod: "Allow",
    TooManyRequests: "Retry-After",
    Unavailable: "Retry-After",
}
"""The header of an error response."""
EXAMPLE_SECONDS = 42


class ErrorExample:
    """An error and its response in the family of a path."""

    def __init__(self, path: str, error: Exception) -> None:
        status, body = family_of(path)(error)
        self.exception = error
        self.name = type(error).__name__
        self.status = status
        self.body = dict(body)
        self.envelope: type[Envelope] = envelope_of(body)

    @property
    def description(self) -> str:
        """The error in one line: the first of its docstring."""
        return (type(self.exception).__doc__ or "").strip().splitlines()[0]

    @property
    def headers(self) -> list[str]:
        return [name for kind, name in ERROR_HEADERS.items() if isinstance(self.exception, kind)]


def error_examples(operation: Operation, allowed_methods: set[str]) -> list[ErrorExample]:
    """All errors of an operation, by status. `allowed_methods` are those of its path."""
    found: dict[str, ErrorExample] = {}
    for error in _errors_of(operation, allowed_methods):
        example = ErrorExample(operation.path, _instantiate(error))
        found.setdefault(f"{example.name} {error if isinstance(error, Exception) else ''}", example)
    return sorted(found.values(), key=lambda each: each.status)


def describe_response(errors: list[ErrorExample], schemas: Schemas) -> dict[str, Any]:
    """The OpenAPI response of one status, for all errors that have it."""
    envelopes = list(dict.fromkeys(each.envelope for each in errors))
    envelope_schemas = [schemas.of(each) for each in envelopes]
    names = [each.name for each in errors]
    examples = {
        each.name if names.count(each.name) == 1 else f"{each.name}{number}": {
            "summary": each.description,
            "value": each.body,
        }
        for number, each in enumerate(errors, 1)
    }
    return {
        "description": " ".join(dict.fromkeys(each.description for each in errors)),
        "headers": headers.references(*dict.fromkeys(name for each in errors for name in each.headers)),
        "content": {
            "application/json": {
                "schema": envelope_schemas[0] if len(envelope_schemas) == 1 else {"anyOf": envelope_schemas},
                "examples": examples,
            }
        },
    }


def _errors_of(operation: Operation, allowed_methods: set[str]) -> Iterator[type[Exception] | Exception]:
    yield WrongMethod(allowed_methods)
    if operation.auth is Auth.TOKEN_ELSEWHERE:
        yield from (TokenMissing, TokenWrong, Forbidden, Unavailable)
    elif operation.auth is not Auth.NONE:
        yield from (TokenMissing, TokenWrong, TooManyRequests, Unavailable)
    if operation.auth not in (Auth.NONE, Auth.TOKEN_ELSEWHERE) and not operation.board:
        yield OutOfScope
    if operation.permission is not None:
        yield NotPermitted
    yield from operation.errors
    if operation.body is not None:
        if not _includes(operation.errors, BadArgument):
            yield BadArgument("what is wrong with the body")
        yield from BODY_ERRORS


def _includes(errors: Iterable[type[Exception] | Exception], kind: type[Exception]) -> bool:
    return any(error is kind or isinstance(error, kind) for error in errors)


def _instantiate(error: type[Exception] | Exception) -> Exception:
    if isinstance(error, Exception):
        return error
    return error(EXAMPLE_SECONDS) if error is TooManyRequests else error()
