"""The shapes that errors come in. The tables in `error_responses` decide; what fits in none cannot be described."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.web.openapi.operation import No


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The root of all shapes: nothing else is in them."""


class Failure(Envelope, frozen=True):
    """Rocket.Chat's: one line that says what is wrong."""

    success: No
    error: str


class TypedFailure(Envelope, frozen=True):
    """Rocket.Chat's, with a word for programs."""

    success: No
    error: str
    error_type: str = msgspec.field(name="errorType")


class NotLoggedIn(Envelope, frozen=True):
    """Rocket.Chat's, where nobody is known to ask."""

    status: Literal["error"]
    message: str
    success: No
    error: str


class LoginRefused(Envelope, frozen=True):
    """Rocket.Chat's, where a login fails."""

    status: Literal["error"]
    error: str
    message: str


class NoSuchEndpoint(Envelope, frozen=True):
    """Rocket.Chat's, where a method is not known."""

    status: Literal["error"]
    message: str


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, for people and for programs."""

    message: str
    reason: str


class NumberedReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The same with a code: 110 and 120 are the only ones."""

    message: str
    code: int
    reason: str


class UserFailure(Envelope, frozen=True):
    """The user family's."""

    error_type: str
    success: No
    error: Reason


class UserNotLoggedIn(Envelope, frozen=True):
    """The user family's, where nobody is known to ask."""

    error_type: Literal["unauthenticated_error"]
    success: No
    error: NumberedReason


class UserObjectNotFound(Envelope, frozen=True):
    """The user family's, where there is no such thing."""

    error_type: Literal["Object not found"]
    success: No


class UserInvalid(Envelope, frozen=True):
    """The user family's, where arguments are wrong: each with what is wrong with it."""

    error_type: str
    success: No
    error: Reason
    errors: dict[str, list[str]]


ENVELOPES: tuple[type[Envelope], ...] = (
    Failure,
    TypedFailure,
    NotLoggedIn,
    LoginRefused,
    NoSuchEndpoint,
    UserFailure,
    UserNotLoggedIn,
    UserObjectNotFound,
    UserInvalid,
)


def envelope_of(body: Mapping[str, Any]) -> type[Envelope]:
    """The shape of an error's body. Raises ValueError when it has none."""
    for envelope in ENVELOPES:
        try:
            msgspec.convert(body, envelope)
        except msgspec.ValidationError:
            continue
        return envelope
    raise ValueError(f"no envelope fits {body}")
