"""Extensions made, changed and removed by an admin: calls that Rocket.Chat's connector did not have."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
import structlog
from aiohttp import web
from msgspec import UNSET, Meta, UnsetType

from service.db import extension_admin, extensions
from service.db.extension_admin import StoredExtension
from service.domain.models import Person
from service.domain.permissions import Permission
from service.errors import CallServerUnavailable, DatabaseUnavailable, ExtensionExists, NoSuchExtension, NoSuchUser
from service.web.app_keys import DATABASE, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.agents import heard
from service.web.connector.responses import answered
from service.web.http.errors import BODY_ERRORS, BadArgument
from service.web.http.param_errors import RocketChat
from service.web.http.params import Body
from service.web.openapi.operation import Operation, Success, Yes

log = structlog.get_logger(__name__)

PATH = "/api/v1/connector.extension"
_SECRET = re.compile(r"[ -~]{12,80}")

Number = Annotated[
    str, Meta(min_length=1, description="Extension number.", extra_json_schema={"pattern": "^[A-Za-z0-9_-]{1,40}$"})
]
Secret = Annotated[str, Meta(description="SIP password.", extra_json_schema={"pattern": f"^{_SECRET.pattern}$"})]
Profile = Literal["webrtc", "sip"]


class NewExtension(msgspec.Struct, frozen=True, rename="camel"):
    """New extension. Unassigned unless `userId` or `username` is given."""

    extension: Number
    call_server: Annotated[
        str | None, Meta(description="Call server name from the settings. Required if several are configured.")
    ] = None
    profile: Annotated[Profile | None, Meta(description="`webrtc` (default) for browsers, `sip` for other phones.")] = (
        None
    )
    secret: Annotated[Secret | None, Meta(description="SIP password. Random by default.")] = None
    user_id: Annotated[
        str | None, Meta(description="ID of the user who gets the extension in place of their previous one.")
    ] = None
    username: Annotated[str | None, Meta(description="Username, instead of the user ID.")] = None

    def __repr__(self) -> str:
        return f"NewExtension({self.extension})"  # no log may hold a secret


NEW_EXTENSION = Body(NewExtension, RocketChat)


class ExtensionChange(msgspec.Struct, frozen=True):
    """Changes to an extension. Absent fields stay unchanged."""

    extension: Number
    profile: Profile | None = None
    enabled: Annotated[bool | None, Meta(description="`true` if the phone may register.")] = None
    secret: Secret | None = None

    def __repr__(self) -> str:
        return f"ExtensionChange({self.extension})"


EXTENSION_CHANGE = Body(ExtensionChange, RocketChat)


class ExtensionToDelete(msgspec.Struct, frozen=True):
    """Extension to delete."""

    extension: Annotated[str, Meta(min_length=1)]


EXTENSION_TO_DELETE = Body(ExtensionToDelete, RocketChat)


class KeptExtension(msgspec.Struct, frozen=True, rename="camel"):
    """Stored extension without its SIP password, which `connector.extension.getDetails` returns."""

    extension: str
    call_server: str
    profile: Profile
    enabled: bool
    user_id: str | UnsetType = UNSET
    username: str | UnsetType = UNSET


class KeptExtensionAnswer(msgspec.Struct, frozen=True):
    """Extension after the change."""

    extension: KeptExtension
    success: Yes = True


async def create(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.create"""
    by = await _admin(request)
    given = await NEW_EXTENSION.decode(request)
    number, call_server = _number(given.extension), _call_server(request, given.call_server)
    kept, freed = await extension_admin.create(
        request.app[DATABASE],
        number,
        call_server,
        given.profile or "webrtc",
        _secret(given.secret) or "",
        uid=given.user_id or "",
        name=given.username or "",
    )
    log.info("extension_created", extension=number, by=by.user_id)
    await heard(request, number, *freed)
    return _answer(request, kept)


async def update(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.update"""
    by = await _admin(request)
    given = await EXTENSION_CHANGE.decode(request)
    kept = await extension_admin.change(
        request.app[DATABASE],
        _number(given.extension),
        profile=given.profile,
        enabled=given.enabled,
        secret=_secret(given.secret),
    )
    log.info("extension_updated", extension=kept.extension, by=by.user_id)
    await heard(request, kept.extension)
    return _answer(request, kept)


async def delete(request: web.Request) -> web.Response:
    """POST /api/v1/connector.extension.delete"""
    by = await _admin(request)
    number = (await EXTENSION_TO_DELETE.decode(request)).extension
    if not extensions.NUMBER.fullmatch(number):
        raise NoSuchExtension(number)
    await extensions.delete(request.app[DATABASE], number)
    log.info("extension_deleted", extension=number, by=by.user_id)
    await heard(request, number)
    return answered(request, Success())


async def _admin(request: web.Request) -> Person:
    person = await require_caller(request)
    require_permission(person, Permission.MANAGE_CALL_SETTINGS)
    return person


def _number(text: str) -> str:
    if not extensions.NUMBER.fullmatch(text):
        raise BadArgument("Expected 1 to 40 of A-Z a-z 0-9 _ - in field extension")
    return text


def _secret(text: str | None) -> str | None:
    if text is not None and not _SECRET.fullmatch(text):
        raise BadArgument("Expected 12 to 80 printable ASCII characters in field secret")
    return text


def _call_server(request: web.Request, given: str | None) -> str:
    names = sorted(request.app[SETTINGS].call_servers)
    if given is None and len(names) == 1:
        return names[0]
    if given is None and names:
        raise BadArgument("Missing key 'callServer'")
    if given not in names:
        raise BadArgument(f"Expected one of {', '.join(names)} in field callServer")
    return given


def _answer(request: web.Request, kept: StoredExtension) -> web.Response:
    shown = KeptExtension(
        extension=kept.extension,
        call_server=kept.call_server,
        profile="sip" if kept.profile == "sip" else "webrtc",
        enabled=kept.enabled,
        user_id=kept.uid or UNSET,
        username=kept.username or UNSET,
    )
    return answered(request, KeptExtensionAnswer(shown))


_WRONG = BadArgument("Expected 12 to 80 printable ASCII characters in field secret")
OPERATIONS = (
    Operation(
        method="POST",
        path=f"{PATH}.create",
        handler=create,
        summary="Create an extension, optionally assigned to a user",
        details="Atomic. The user's previous extension becomes free and gets a new SIP password.",
        body=NEW_EXTENSION,
        answer=KeptExtensionAnswer,
        permission=Permission.MANAGE_CALL_SETTINGS,
        errors=(
            _WRONG,
            NoSuchUser,
            ExtensionExists("12342"),
            CallServerUnavailable,
            DatabaseUnavailable,
            *BODY_ERRORS,
        ),
    ),
    Operation(
        method="POST",
        path=f"{PATH}.update",
        handler=update,
        summary="Update an extension's profile, SIP password or enabled state",
        body=EXTENSION_CHANGE,
        answer=KeptExtensionAnswer,
        permission=Permission.MANAGE_CALL_SETTINGS,
        errors=(_WRONG, NoSuchExtension, DatabaseUnavailable, *BODY_ERRORS),
    ),
    Operation(
        method="POST",
        path=f"{PATH}.delete",
        handler=delete,
        summary="Delete an extension; its phone can no longer register",
        body=EXTENSION_TO_DELETE,
        answer=Success,
        permission=Permission.MANAGE_CALL_SETTINGS,
        errors=(BadArgument("Missing key 'extension'"), NoSuchExtension, DatabaseUnavailable, *BODY_ERRORS),
    ),
)
