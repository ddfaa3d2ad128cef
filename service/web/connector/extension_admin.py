"""Creates, updates and deletes extensions, for admins. Rocket.Chat's connector had no such calls."""

from __future__ import annotations

import structlog
from aiohttp import web
from msgspec import UNSET

from service.db import extension_admin, extensions, ownership
from service.db.extension_admin import StoredExtension
from service.domain.extension_names import EXTENSION_NUMBER
from service.domain.models import Person
from service.domain.permissions import Permission
from service.errors import (
    CallServerUnavailable,
    DatabaseUnavailable,
    ExtensionExists,
    NoSuchExtension,
    NoSuchUser,
    OwnedByAsterisk,
    WeakSecret,
)
from service.web.app_keys import CREDENTIAL_OWNERS, DATABASE, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.auth.permissions import require_permission
from service.web.connector.extension_admin_schemas import (
    EXTENSION_CHANGE,
    EXTENSION_TO_DELETE,
    NEW_EXTENSION,
    SECRET_PATTERN,
    KeptExtension,
    KeptExtensionAnswer,
)
from service.web.connector.responses import success_response
from service.web.http.errors import BODY_ERRORS, BadArgument
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.unrevoked import UNREVOKED, report_unrevoked, unrevoked_endpoints
from service.web.openapi.operation import Operation, Success

log = structlog.get_logger(__name__)

PATH = "/api/v1/connector.extension"


async def create_extension(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.create"""
    by = await _require_manager(request)
    given = await NEW_EXTENSION.decode(request)
    number, call_server = _check_number(given.extension), _choose_call_server(request, given.call_server)
    stored, freed = await extension_admin.create(
        request.app[DATABASE],
        number,
        call_server,
        given.profile or "webrtc",
        _check_secret(given.secret) or "",
        origin=origin_of(request, by),
        uid=given.user_id or "",
        name=given.username or "",
        imported=request.app[CREDENTIAL_OWNERS].imported,
    )
    log.info("extension_created", extension=number, by=by.user_id)
    await refresh_extensions(request, number, *freed)
    response = _respond(request, stored)
    report_unrevoked(response, unrevoked_endpoints(request, *freed), by)
    return response


async def update_extension(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.update"""
    by = await _require_manager(request)
    given = await EXTENSION_CHANGE.decode(request)
    stored = await extension_admin.change(
        request.app[DATABASE],
        _check_number(given.extension),
        origin=origin_of(request, by),
        profile=given.profile,
        enabled=given.enabled,
        secret=_check_secret(given.secret),
        imported=request.app[CREDENTIAL_OWNERS].imported,
    )
    log.info("extension_updated", extension=stored.extension, by=by.user_id)
    await refresh_extensions(request, stored.extension)
    response = _respond(request, stored)
    if given.enabled is False:
        report_unrevoked(response, unrevoked_endpoints(request, stored.extension), by)
    return response


async def delete_extension(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.delete"""
    by = await _require_manager(request)
    number = (await EXTENSION_TO_DELETE.decode(request)).extension
    if not EXTENSION_NUMBER.fullmatch(number):
        raise NoSuchExtension(number)
    imported = request.app[CREDENTIAL_OWNERS].imported
    await extensions.delete(request.app[DATABASE], number, origin=origin_of(request, by), imported=imported)
    log.info("extension_deleted", extension=number, by=by.user_id)
    await refresh_extensions(request, number)
    return success_response(request, Success())


async def _require_manager(request: web.Request) -> Person:
    person = await require_caller(request)
    require_permission(person, Permission.MANAGE_CALL_SETTINGS)
    return person


def _check_number(text: str) -> str:
    if not EXTENSION_NUMBER.fullmatch(text):
        raise BadArgument("Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension")
    return text


def _check_secret(text: str | None) -> str | None:
    if text is not None and not SECRET_PATTERN.fullmatch(text):
        raise BadArgument("Expected 12 to 80 printable ASCII characters in field secret")
    return text


def _choose_call_server(request: web.Request, name: str | None) -> str:
    names = sorted(request.app[SETTINGS].call_servers)
    if name is None and len(names) == 1:
        return names[0]
    if name is None and names:
        raise BadArgument("Missing key 'callServer'")
    if name not in names:
        raise BadArgument(f"Expected one of {', '.join(names)} in field callServer")
    return name


def _respond(request: web.Request, stored: StoredExtension) -> web.Response:
    extension = KeptExtension(
        extension=stored.extension,
        call_server=stored.call_server,
        profile="sip" if stored.profile == "sip" else "webrtc",
        enabled=stored.enabled,
        user_id=stored.uid or UNSET,
        username=stored.username or UNSET,
    )
    return success_response(request, KeptExtensionAnswer(extension))


_SECRET_ERROR = BadArgument("Expected 12 to 80 printable ASCII characters in field secret")
_WEAK = WeakSecret("the SIP password is easily guessed: little more than common words and years")
_UNREVOKED_HEADERS = (UNREVOKED,)


def _owned_error(remedy: str) -> OwnedByAsterisk:
    return ownership.owned_by_asterisk("pbx", remedy)


OPERATIONS = (
    Operation(
        method="POST",
        path=f"{PATH}.create",
        handler=create_extension,
        summary="Create an extension, optionally assigned to a user",
        details="Atomic. The user's previous extension becomes free and gets a new SIP password. 409 on an imported "
        "call server, whose endpoints Asterisk owns.",
        body=NEW_EXTENSION,
        answer=KeptExtensionAnswer,
        permission=Permission.MANAGE_CALL_SETTINGS,
        headers=_UNREVOKED_HEADERS,
        errors=(
            _SECRET_ERROR,
            _WEAK,
            NoSuchUser,
            ExtensionExists("12342"),
            _owned_error(ownership.CREATE),
            CallServerUnavailable,
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
    Operation(
        method="POST",
        path=f"{PATH}.update",
        handler=update_extension,
        summary="Update an extension's profile, SIP password or enabled state",
        details="A password ends the present and the former one at once; one that is easily guessed is refused. On an "
        "imported call server Asterisk owns profile and password: 409.",
        body=EXTENSION_CHANGE,
        answer=KeptExtensionAnswer,
        permission=Permission.MANAGE_CALL_SETTINGS,
        headers=_UNREVOKED_HEADERS,
        errors=(
            _SECRET_ERROR,
            _WEAK,
            NoSuchExtension,
            _owned_error(ownership.CHANGE_PASSWORD),
            _owned_error(ownership.CHANGE_PROFILE),
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
    Operation(
        method="POST",
        path=f"{PATH}.delete",
        handler=delete_extension,
        summary="Delete an extension; its phone can no longer register",
        details="409 on an imported call server, whose endpoints Asterisk owns.",
        body=EXTENSION_TO_DELETE,
        answer=Success,
        permission=Permission.MANAGE_CALL_SETTINGS,
        errors=(
            BadArgument("Missing key 'extension'"),
            NoSuchExtension,
            _owned_error(ownership.DELETE),
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
)
