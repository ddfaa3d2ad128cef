"""Which errors an operation answers, and how: from its own facts, by rule, and from the table of its family."""

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
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    WrongMethod,
)
from service.web.openapi import headers
from service.web.openapi.error_schemas import Envelope, envelope_of
from service.web.openapi.json_schemas import Schemas
from service.web.openapi.operation import Auth, Operation

HEADERS: dict[type[Exception], str] = {WrongMethod: "Allow", TooManyRequests: "Retry-After", Unavailable: "Retry-After"}
"""Which header goes with an error."""
SOME_SECONDS = 42


class Refusal:
    """One fact, as the family of a path answers it."""

    def __init__(self, path: str, fact: Exception) -> None:
        status, body = family_of(path)(fact)
        self.fact = fact
        self.name = type(fact).__name__
        self.status = status
        self.body = dict(body)
        self.envelope: type[Envelope] = envelope_of(body)

    @property
    def told(self) -> str:
        """What went wrong, in one line."""
        return (type(self.fact).__doc__ or "").strip().splitlines()[0]

    @property
    def headers(self) -> list[str]:
        return [name for kind, name in HEADERS.items() if isinstance(self.fact, kind)]


def of(operation: Operation, allowed: set[str]) -> list[Refusal]:
    """All that an operation may refuse with; `allowed` are the methods of its path."""
    found: dict[str, Refusal] = {}
    for fact in _facts(operation, allowed):
        refusal = Refusal(operation.path, _example(fact))
        found.setdefault(f"{refusal.name} {fact if isinstance(fact, Exception) else ''}", refusal)
    return sorted(found.values(), key=lambda each: each.status)


def response(refusals: list[Refusal], schemas: Schemas) -> dict[str, Any]:
    """The answer with one status, whichever of these facts is why."""
    envelopes = list(dict.fromkeys(each.envelope for each in refusals))
    shapes = [schemas.of(each) for each in envelopes]
    names = [each.name for each in refusals]
    examples = {
        each.name if names.count(each.name) == 1 else f"{each.name}{number}": {"summary": each.told, "value": each.body}
        for number, each in enumerate(refusals, 1)
    }
    return {
        "description": " ".join(dict.fromkeys(each.told for each in refusals)),
        "headers": headers.references(*dict.fromkeys(name for each in refusals for name in each.headers)),
        "content": {
            "application/json": {
                "schema": shapes[0] if len(shapes) == 1 else {"anyOf": shapes},
                "examples": examples,
            }
        },
    }


def _facts(operation: Operation, allowed: set[str]) -> Iterator[type[Exception] | Exception]:
    yield WrongMethod(allowed)
    if operation.auth is Auth.TOKEN_ELSEWHERE:
        yield from (TokenMissing, TokenWrong, Forbidden, Unavailable)
    elif operation.auth is not Auth.NONE:
        yield from (TokenMissing, TokenWrong, TooManyRequests, Unavailable)
    if operation.permission is not None:
        yield NotPermitted
    yield from operation.errors
    if operation.body is not None:
        if not _tells(operation.errors, BadArgument):
            yield BadArgument("what is wrong with the body")
        yield from BODY_ERRORS


def _tells(facts: Iterable[type[Exception] | Exception], kind: type[Exception]) -> bool:
    return any(fact is kind or isinstance(fact, kind) for fact in facts)


def _example(fact: type[Exception] | Exception) -> Exception:
    if isinstance(fact, Exception):
        return fact
    return fact(SOME_SECONDS) if fact is TooManyRequests else fact()
