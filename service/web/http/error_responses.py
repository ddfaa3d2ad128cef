"""The table that turns facts into answers, one per family.

`Front` asks the family that the path belongs to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from service.errors import (
    AlreadyExists,
    CallServerUnavailable,
    ExtensionExists,
    ExtensionTaken,
    Invalid,
    LastAdmin,
    NoSuchExtension,
    NoSuchUser,
    NotFound,
    Overloaded,
    QueuesNotKnown,
    Unavailable,
    UserTaken,
)
from service.web.http.errors import (
    BadArgument,
    BadParameter,
    BodyEncoded,
    BodyTooLarge,
    BodyTooSlow,
    BodyUnsupported,
    ExtensionNotFound,
    FieldsWrong,
    Forbidden,
    HeadTooLarge,
    HeadTooSlow,
    LoginFailed,
    NotConnected,
    NotPermitted,
    RouteNotFound,
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    TransferCodingUnknown,
    UserNotFound,
    WrongMethod,
)
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json

Answer = tuple[int, Mapping[str, Any]]
Family = Callable[[Exception], Answer]


def response(family: Family, error: Exception) -> PrebuiltResponse:
    """The family's answer to an error; the headers that go with it are the same for all."""
    status, body = family(error)
    headers = {"Cache-Control": "no-store"}
    if isinstance(error, WrongMethod):
        headers["Allow"] = error.allow
    elif isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.seconds)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, BodyEncoded):
        headers["Accept-Encoding"] = "identity"  # RFC 9110 wants it said what would be taken
    answer = prebuilt_json(body, headers, status)
    if isinstance(error, BodyTooLarge | BodyTooSlow):
        answer.force_close()  # what is left of the body is nobody's request
    return answer


def connector(error: Exception) -> Answer:
    """The `/api/v1` family, as Rocket.Chat answered."""
    match error:
        case TokenMissing() | TokenWrong():
            told = "You must be logged in to do this."
            return 401, {"status": "error", "message": told, "success": False, "error": told}
        case LoginFailed():
            return 401, {"status": "error", "error": "Unauthorized", "message": "Unauthorized"}
        case WrongMethod():
            return 405, {"status": "error", "message": "API endpoint does not exist"}
        case TooManyRequests():
            return 429, _failed(
                "Error, too many requests. Please slow down. "
                f"You must wait {error.seconds} seconds before trying this endpoint again. "
                "[error-too-many-requests]"
            )
        case NotPermitted():
            return 403, _failed("User does not have the permissions required for this action [error-unauthorized]")
        case Forbidden():
            return 403, _failed("unauthorized")
        case ExtensionNotFound() | NoSuchExtension():
            return 404, _failed("Extension not found")
        case UserNotFound() | NoSuchUser():
            return 404, _failed("User not found")
        case ExtensionExists():
            return 409, _failed(f"extension already exists {error.extension}")
        case ExtensionTaken():
            return 400, _failed(f"extension already in use {error.extension}")
        case RouteNotFound():
            return 404, _failed("Resource not found")
        case BadArgument():
            return 400, _failed(f"Match error: {error}")
        case BadParameter():
            invalid = "error-invalid-params"
            return 400, {**_failed(f"{error} [{invalid}]"), "errorType": invalid}
        case NotConnected():
            return 400, _failed(str(error))
        case QueuesNotKnown():
            return 503, _failed("Service unavailable: the queues are not known")
        case Unavailable():
            return 503, _failed("Service unavailable")
        case _:
            return _common(error, _failed)


def rocketchat(error: Exception) -> Answer:
    """The same with a dead Asterisk as Rocket.Chat told of it, which had no 503."""
    if isinstance(error, CallServerUnavailable):
        return 400, _failed("Connection error")
    return connector(error)


def user(error: Exception) -> Answer:
    """The `/user` family, as the Class 4 API answered. 110 and 120 are the only documented codes."""
    match error:
        case TokenMissing():
            return 401, _unauthenticated("No header X-Auth-Token present", 110, "auth_token_not_provided")
        case TokenWrong():
            return 401, _unauthenticated("Incorrect token provided", 120, "incorrect_token_provided")
        case LoginFailed():
            return 401, _typed("operation_error", "Incorrect name, e-mail or password", "authentication_failed")
        case Forbidden():
            return 403, _typed("permission_error", "Only an admin may do this", "admin_required")
        case UserNotFound() | RouteNotFound() | NotFound():
            return 404, {"error_type": "Object not found", "success": False}
        case WrongMethod():
            return 405, _typed("method_not_allowed", f"Allowed here: {error.allow}", "method_not_allowed")
        case TooManyRequests():
            told = f"Too many failures, wait {error.seconds} seconds"
            return 429, _typed("too_many_requests", told, "too_many_requests")
        case BadArgument():
            fields = error.fields if isinstance(error, FieldsWrong) else {"body": [str(error)]}
            return 400, {**_typed("validation_error", str(error), "validation_failed"), "errors": fields}
        case UserTaken():
            return user(FieldsWrong({name: ["is another user's"] for name in sorted(error.fields)}))
        case LastAdmin():
            return 409, _typed("operation_error", "This is the last active admin", "last_admin")
        case Overloaded():
            return 503, _typed("service_unavailable", f"Busy: {error}", "service_unavailable")
        case Unavailable():
            return 503, _typed("service_unavailable", "The database is out of reach", "service_unavailable")
        case _:
            return _common(error, lambda told: _typed("operation_error", told, "request_failed"))


def plain(error: Exception) -> Answer:
    """Everything outside the two families."""
    match error:
        case TokenMissing() | TokenWrong():
            return 401, _failed("You must be logged in to do this.")
        case Forbidden():
            return 403, _failed("Only an admin may do this")
        case RouteNotFound():
            return 404, _failed("Resource not found")
        case WrongMethod():
            return 405, _failed("Method not allowed")
        case Unavailable():
            return 503, _failed("Service unavailable")
        case _:
            return _common(error, _failed)


def family_of(raw_path: str, *, as_rocketchat: bool = False) -> Family:
    """Whose envelope a path's errors come in. Its first parts decide, whole: `/users` is not of the `/user` family."""
    match [unquote(part) for part in raw_path.split("/") if part][:3]:
        case ["api", "v1", *_]:
            return rocketchat if as_rocketchat else connector
        case ["user" | "auth", *_] | ["v1", "user" | "auth", *_]:
            return user
    return plain


def _common(error: Exception, envelope: Callable[[str], dict[str, Any]]) -> Answer:
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


def _failed(told: str) -> dict[str, Any]:
    return {"success": False, "error": told}


def _typed(error_type: str, message: str, reason: str) -> dict[str, Any]:
    return {"error_type": error_type, "success": False, "error": {"message": message, "reason": reason}}


def _unauthenticated(message: str, code: int, reason: str) -> dict[str, Any]:
    error = {"message": message, "code": code, "reason": reason}
    return {"error_type": "unauthenticated_error", "success": False, "error": error}
