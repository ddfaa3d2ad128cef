"""What a request can do wrong, as facts. Handlers raise one where it is known; `error_responses` makes it an answer."""

from __future__ import annotations

import math
from collections.abc import Mapping

import msgspec

encode = msgspec.json.Encoder().encode


class RequestError(Exception):
    """The root of what is wrong with a request."""


class TokenMissing(RequestError):
    """A header that tells who is asking is not there."""


class TokenWrong(RequestError):
    """The token is wrong, expired, revoked, or not this user's."""


class Forbidden(RequestError):
    """Known, but not allowed."""


class NotPermitted(Forbidden):
    """A permission that the call demands is not among those of the person's role."""


class BadArgument(RequestError):
    """An argument is missing or of another type; the text says which."""


class FieldsWrong(BadArgument):
    """For each field that is wrong, what is wrong with it."""

    def __init__(self, fields: Mapping[str, list[str]]) -> None:
        super().__init__("; ".join(f"{name}: {', '.join(told)}" for name, told in fields.items()))
        self.fields = fields


class BadParameter(RequestError):
    """An argument that holds JSON of its own, as `sort` does, makes no sense; the text says which."""


class NotConnected(RequestError):
    """The connection that was to be checked is not there; the text says why."""


class ExtensionNotFound(RequestError):
    """No such user, or no extension assigned."""


class UserNotFound(RequestError):
    """No such user."""


class RouteNotFound(RequestError):
    """Nothing lives at this path."""


class LoginFailed(RequestError):
    """Wrong name, wrong password, inactive, from elsewhere: always the same answer."""


class WrongMethod(RequestError):
    """The path is known, the method is not."""

    def __init__(self, allowed: set[str]) -> None:
        self.allow = ", ".join(sorted(allowed))


class TooManyRequests(RequestError):
    """Try again in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(1, math.ceil(seconds))


class HeadTooLarge(RequestError):
    """More bytes of a request's line and headers than the limit."""


class HeadTooSlow(RequestError):
    """A request's line and headers did not come in time."""


class BodyTooLarge(RequestError):
    """More bytes than the limit."""


class BodyTooSlow(RequestError):
    """The body did not end in time."""


class BodyUnsupported(RequestError):
    """A content type that is not understood here."""


class BodyEncoded(BodyUnsupported):
    """It has a content coding such as gzip: nothing is decoded here."""


class TransferCodingUnknown(RequestError):
    """A transfer coding that is not `chunked`."""


BODY_ERRORS = (BodyTooLarge, BodyTooSlow, BodyUnsupported)
"""What may be wrong with any body, whatever is in it."""
