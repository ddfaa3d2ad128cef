"""Turns errors into responses, by the family of the path: `/api/v1`, `/user`, `/p` or all others."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from service.errors import Ambiguous, NotFound, Unavailable
from service.web.http.api_v1_errors import connector, rocketchat
from service.web.http.common_errors import StatusAndBody, common_error, failure
from service.web.http.errors import (
    BodyEncoded,
    BodyTooLarge,
    BodyTooSlow,
    ExtensionNotFound,
    Forbidden,
    RouteNotFound,
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    WrongMethod,
)
from service.web.http.prebuilt_response import PrebuiltResponse, prebuilt_json
from service.web.http.setup_paths import PREFIX, SETUP_HEADERS
from service.web.http.user_errors import user

Family = Callable[[Exception], StatusAndBody]
"""A table of errors: status and body by type of error."""


def error_response(family: Family, error: Exception) -> PrebuiltResponse:
    """The response to an error: status and body by the family's table, headers by the same rules for all."""
    status, body = family(error)
    headers = SETUP_HEADERS.copy() if family is setup else {"Cache-Control": "no-store"}
    if isinstance(error, WrongMethod) and family is not setup:
        headers["Allow"] = error.allow
    elif isinstance(error, TooManyRequests):
        headers["Retry-After"] = str(error.seconds)
    elif isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, BodyEncoded):
        headers["Accept-Encoding"] = "identity"  # RFC 9110: name the accepted coding
    response = prebuilt_json(body, headers, status)
    response.cross_origin = family is not setup
    if isinstance(error, BodyTooLarge | BodyTooSlow):
        response.force_close()  # the rest of the body must not count as a request
    elif family is setup and isinstance(error, TooManyRequests):
        response.force_close()  # a further guess costs a connection
    return response


def family_of(raw_path: str, *, as_rocketchat: bool = False) -> Family:
    """The family of a path, by its first segments: `/users` is not in the `/user` family."""
    match [unquote(part) for part in raw_path.split("/") if part][:3]:
        case ["api", "v1", *_]:
            return rocketchat if as_rocketchat else connector
        case ["user" | "auth", *_] | ["v1", "user" | "auth", *_]:
            return user
        case [first, *_] if first == PREFIX[1:]:
            return setup
    return plain


def setup(error: Exception) -> StatusAndBody:
    """Set-up links and device URLs. All refusals are one, whatever the token, the path or the method."""
    match error:
        case NotFound() | RouteNotFound() | WrongMethod():
            return 404, failure("Not found")
        case TooManyRequests():
            return 429, failure("Too many requests")
        case _:
            return plain(error)


def plain(error: Exception) -> StatusAndBody:
    """All other paths."""
    match error:
        case TokenMissing() | TokenWrong():
            return 401, failure("You must be logged in to do this.")
        case Forbidden():
            return 403, failure("Only an admin may do this")
        case ExtensionNotFound():
            return 404, failure("Extension not found")
        case Ambiguous():
            return 409, failure(str(error))
        case RouteNotFound():
            return 404, failure("Resource not found")
        case WrongMethod():
            return 405, failure("Method not allowed")
        case Unavailable():
            return 503, failure("Service unavailable")
        case _:
            return common_error(error, failure)
