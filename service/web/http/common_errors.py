"""Errors that all families share: status and message."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from service.errors import AlreadyExists, Invalid
from service.web.http.errors import (
    BadArgument,
    BodyEncoded,
    BodyTooLarge,
    BodyTooSlow,
    BodyUnsupported,
    HeadTooLarge,
    HeadTooSlow,
    TransferCodingUnknown,
)

StatusAndBody = tuple[int, Mapping[str, Any]]


def common_error(error: Exception, envelope: Callable[[str], dict[str, Any]]) -> StatusAndBody:
    """The errors that all families share; `envelope` puts the message into the family's format."""
    match error:
        case HeadTooSlow():
            return 408, envelope("The request did not come in time")
        case HeadTooLarge():
            return 431, envelope("The request's headers are too large")
        case BodyTooLarge():
            return 413, envelope("The request's body is too large")
        case BodyTooSlow():
            return 408, envelope("The request's body did not come in time")
        case BodyEncoded():
            return 415, envelope("The request's content encoding is not supported")
        case TransferCodingUnknown():
            return 501, envelope("The request's transfer encoding is not supported")
        case BodyUnsupported():
            return 415, envelope("The request's content type is not supported")
        case AlreadyExists():
            return 409, envelope("It exists already")
        case BadArgument() | Invalid():
            return 400, envelope(str(error))
        case web.HTTPException() if error.status < 500:
            return error.status, envelope(error.reason)
        case _:
            return 500, envelope("Internal server error")


def failure(message: str) -> dict[str, Any]:
    """The body of a failure in Rocket.Chat's format."""
    return {"success": False, "error": message}
