"""Schemas of error responses. Every response of the tables in `error_responses` must match one of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from service.web.openapi.operation import No


class Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Base class of the schemas of errors. They have no other fields."""


class Failure(Envelope, frozen=True):
    """Error in Rocket.Chat's format: a text."""

    success: No
    error: str


class TypedFailure(Envelope, frozen=True):
    """Error in Rocket.Chat's format: a text and a machine-readable type."""

    success: No
    error: str
    error_type: str = msgspec.field(name="errorType")


class NotLoggedIn(Envelope, frozen=True):
    """Error in Rocket.Chat's format for unauthenticated requests."""

    status: Literal["error"]
    message: str
    success: No
    error: str


class LoginRefused(Envelope, frozen=True):
    """Error in Rocket.Chat's format for failed logins."""

    status: Literal["error"]
    error: str
    message: str


class NoSuchEndpoint(Envelope, frozen=True):
    """Error in Rocket.Chat's format for unsupported methods."""

    status: Literal["error"]
    message: str


class Reason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Human-readable message and machine-readable reason."""

    message: str
    reason: str


class NumberedReason(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Message, reason and numeric code (110 or 120)."""

    message: str
    code: int
    reason: str


class UserFailure(Envelope, frozen=True):
    """Error of the user API."""

    error_type: str
    success: No
    error: Reason


class UserNotLoggedIn(Envelope, frozen=True):
    """Error of the user API for unauthenticated requests."""

    error_type: Literal["unauthenticated_error"]
    success: No
    error: NumberedReason


class UserObjectNotFound(Envelope, frozen=True):
    """Error of the user API for objects that do not exist."""

    error_type: Literal["Object not found"]
    success: No


class UserInvalid(Envelope, frozen=True):
    """Error of the user API for invalid arguments, with reasons by field."""

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
    """The schema that an error's body matches. Raises ValueError if none does."""
    for envelope in ENVELOPES:
        try:
            msgspec.convert(body, envelope)
        except msgspec.ValidationError:
            continue
        return envelope
    raise ValueError(f"no envelope fits {body}")
