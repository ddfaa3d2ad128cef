"""Error responses of the `/api/v1` family, in Rocket.Chat's format."""

from __future__ import annotations

from service.errors import (
    CallServerUnavailable,
    ExtensionExists,
    ExtensionTaken,
    NoSetup,
    NoSuchExtension,
    NoSuchPhone,
    NoSuchUser,
    OwnedByAsterisk,
    PhoneRefused,
    QueuesNotKnown,
    RotationUnderWay,
    Unavailable,
    WeakSecret,
)
from service.web.http.common_errors import StatusAndBody, common_error, failure
from service.web.http.errors import (
    BadArgument,
    BadParameter,
    BoardCodeWrong,
    ExtensionNotFound,
    Forbidden,
    LoginFailed,
    NotConnected,
    NotPermitted,
    OutOfScope,
    RouteNotFound,
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    UserNotFound,
    WrongMethod,
)


def connector(error: Exception) -> StatusAndBody:
    """The `/api/v1` family, in Rocket.Chat's format."""
    match error:
        case TokenMissing() | TokenWrong():
            message = "You must be logged in to do this."
            return 401, {"status": "error", "message": message, "success": False, "error": message}
        case LoginFailed():
            return 401, {"status": "error", "error": "Unauthorized", "message": "Unauthorized"}
        case BoardCodeWrong():
            return 401, failure("The code is not valid")
        case WrongMethod():
            return 405, {"status": "error", "message": "API endpoint does not exist"}
        case TooManyRequests():
            return 429, failure(
                "Error, too many requests. Please slow down. "
                f"You must wait {error.seconds} seconds before trying this endpoint again. "
                "[error-too-many-requests]"
            )
        case OutOfScope():
            return 403, failure("The scope of the token does not include this call [error-unauthorized]")
        case NotPermitted():
            return 403, failure("User does not have the permissions required for this action [error-unauthorized]")
        case Forbidden():
            return 403, failure("unauthorized")
        case ExtensionNotFound() | NoSuchExtension():
            return 404, failure("Extension not found")
        case NoSuchPhone():
            return 404, failure("Phone not found")
        case UserNotFound() | NoSuchUser():
            return 404, failure("User not found")
        case ExtensionExists():
            return 409, failure(f"extension already exists {error.extension}")
        case ExtensionTaken():
            return 400, failure(f"extension already in use {error.extension}")
        case OwnedByAsterisk() | RotationUnderWay() | PhoneRefused() | NoSetup():
            return 409, failure(str(error))
        case RouteNotFound():
            return 404, failure("Resource not found")
        case BadArgument() | WeakSecret():
            return 400, failure(f"Match error: {error}")
        case BadParameter():
            invalid = "error-invalid-params"
            return 400, {**failure(f"{error} [{invalid}]"), "errorType": invalid}
        case NotConnected():
            return 400, failure(str(error))
        case QueuesNotKnown():
            return 503, failure("Service unavailable: the queues are not known")
        case Unavailable():
            return 503, failure("Service unavailable")
        case _:
            return common_error(error, failure)


def rocketchat(error: Exception) -> StatusAndBody:
    """The same, but an unreachable Asterisk is a 400, as in Rocket.Chat."""
    if isinstance(error, CallServerUnavailable):
        return 400, failure("Connection error")
    return connector(error)
