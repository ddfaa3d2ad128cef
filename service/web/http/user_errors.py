"""Error responses of the `/user` family, in the Class 4 API's format."""

from __future__ import annotations

from typing import Any

from service.errors import LastAdmin, NotFound, Overloaded, Unavailable, UserTaken
from service.web.http.common_errors import StatusAndBody, common_error
from service.web.http.errors import (
    BadArgument,
    FieldsWrong,
    Forbidden,
    LoginFailed,
    RouteNotFound,
    TokenMissing,
    TokenWrong,
    TooManyRequests,
    UserNotFound,
    WrongMethod,
)


def user(error: Exception) -> StatusAndBody:
    """The `/user` family, in the Class 4 API's format. It documents only the codes 110 and 120."""
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
            message = f"Too many failures, wait {error.seconds} seconds"
            return 429, _typed("too_many_requests", message, "too_many_requests")
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
            return common_error(error, lambda message: _typed("operation_error", message, "request_failed"))


def _typed(error_type: str, message: str, reason: str) -> dict[str, Any]:
    return {"error_type": error_type, "success": False, "error": {"message": message, "reason": reason}}


def _unauthenticated(message: str, code: int, reason: str) -> dict[str, Any]:
    error = {"message": message, "code": code, "reason": reason}
    return {"error_type": "unauthenticated_error", "success": False, "error": error}
