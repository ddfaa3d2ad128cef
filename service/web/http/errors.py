"""Request errors. Handlers raise them as facts; `error_responses` turns them into responses."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

from service.domain.models import Person

encode = msgspec.json.Encoder().encode


class RequestError(Exception):
    """Base class of request errors."""


class TokenMissing(RequestError):
    """An authentication header is missing."""


class TokenWrong(RequestError):
    """The token is invalid, expired, revoked, or belongs to another user."""


class Forbidden(RequestError):
    """The user is authenticated but not authorised."""


class NotPermitted(Forbidden):
    """The user's role lacks the required permission."""


class OutOfScope(NotPermitted):
    """The token has the scope `board`, which does not include this call."""


class BadArgument(RequestError):
    """A parameter is missing or has the wrong type. The error text names it."""


class FieldsWrong(BadArgument):
    """One or more fields are invalid. `errors` lists the reasons by field."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(told)}" for name, told in fields.items()))
        self.fields = fields


class BadParameter(RequestError):
    """A parameter that holds JSON, such as `sort`, is invalid. The error text names it."""


class NotConnected(RequestError):
    """The checked connection failed. The error text states the reason."""


class ExtensionNotFound(RequestError):
    """The user does not exist or has no extension."""


class UserNotFound(RequestError):
    """The user does not exist."""


class RouteNotFound(RequestError):
    """The path does not exist."""


class LoginFailed(RequestError):
    """Login failed: unknown user, wrong password, inactive user or address not allowed. The response is the same.

    `person` is whose name it was, if anybody's: for the audit trail alone.
    """

    def __init__(self, person: Person | None = None) -> None:
        super().__init__()
        self.person = person


class BoardCodeWrong(RequestError):
    """The code is unknown, was used, or has expired. The response is the same."""


class WrongMethod(RequestError):
    """The path does not support this method."""

    def __init__(self, allowed: set[str]) -> None:
        self.allow = ", ".join(sorted(allowed))


class TooManyRequests(RequestError):
    """The rate limit is exceeded. `Retry-After` gives the delay in seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))


class HeadTooLarge(RequestError):
    """The request line and headers exceed the size limit."""


class HeadTooSlow(RequestError):
    """The request line and headers did not arrive within the deadline."""


class BodyTooLarge(RequestError):
    """The body exceeds the size limit."""


class BodyTooSlow(RequestError):
    """The body did not arrive within the deadline."""


class BodyUnsupported(RequestError):
    """The content type is not supported."""


class BodyEncoded(BodyUnsupported):
    """The body has a content coding such as gzip, and none is supported."""


class TransferCodingUnknown(RequestError):
    """The transfer coding is not `chunked`."""


BODY_ERRORS = (BodyTooLarge, BodyTooSlow, BodyUnsupported)
"""The errors that any body may cause, whatever it holds."""
