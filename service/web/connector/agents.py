"""Assigns extensions to users, looks them up, and unassigns them."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from service.db import extensions
from service.domain.permissions import Permission
from service.errors import DatabaseUnavailable, ExtensionTaken, NoSuchExtension, NoSuchUser
from service.web.app_keys import DATABASE, DIRECTORY, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.origin import origin_of
from service.web.auth.permissions import require_permission
from service.web.connector.responses import success_response
from service.web.http.errors import BODY_ERRORS, BadArgument, ExtensionNotFound, UserNotFound
from service.web.http.extension_refresh import refresh_extensions
from service.web.http.param_errors import RocketChat
from service.web.http.params import Body, OneOf, Path
from service.web.http.unrevoked import UNREVOKED, report_unrevoked, unrevoked_endpoints
from service.web.openapi.operation import AnyOf, Operation, Success, Yes

PATH = "/api/v1/omnichannel/agent"
NotEmpty = Annotated[str, Meta(min_length=1)]
_NO_USER_NAMED = "Missing key 'userId' or 'username'"


class ByUid(msgspec.Struct, frozen=True, rename="camel"):
    """Assignment to a user, by user ID."""

    user_id: NotEmpty
    extension: NotEmpty


class ByUsername(msgspec.Struct, frozen=True):
    """Assignment to a user, by username."""

    username: NotEmpty
    extension: NotEmpty


class Assignment(AnyOf):
    """Assignment of an extension to a user."""

    alternatives = (ByUid, ByUsername)


class GivenAssignment(msgspec.Struct, frozen=True, rename="camel"):
    """Any `Assignment`. Wider than what is described, as Rocket.Chat's clients send empty keys."""

    extension: str | None = None
    user_id: str = ""
    username: str = ""


ASSIGNMENT = Body(OneOf(Assignment, lambda _: GivenAssignment), RocketChat)


class UsernamePath(msgspec.Struct, frozen=True):
    """The user."""

    username: str


USERNAME = Path(UsernamePath)


class HeldExtension(msgspec.Struct, frozen=True):
    """Extension assigned to a user."""

    uid: str = msgspec.field(name="_id")
    username: str
    extension: str


class HeldExtensionAnswer(msgspec.Struct, frozen=True):
    """Current or just unassigned extension of a user."""

    extension: HeldExtension
    success: Yes = True


async def assign_extension(request: web.Request) -> web.Response:
    """POST /api/v1/omnichannel/agent/extension: the user's previous extension becomes free."""
    by = await require_caller(request)
    require_permission(by, Permission.MANAGE_AGENT_EXTENSIONS)
    given = await ASSIGNMENT.decode(request)
    if given.extension is None:
        raise BadArgument("Missing key 'extension'")
    if not (given.user_id or given.username):
        raise BadArgument(_NO_USER_NAMED)
    number, freed = await extensions.reassign(
        request.app[DATABASE],
        given.extension,
        origin=origin_of(request, by),
        uid=given.user_id,
        name=given.username,
    )
    await refresh_extensions(request, number, *freed)
    response = success_response(request, Success())
    report_unrevoked(response, unrevoked_endpoints(request, number, *freed), by)
    return response


async def get_assigned_extension(request: web.Request) -> web.Response:
    """GET /api/v1/omnichannel/agent/extension/{username}"""
    require_permission(await require_caller(request), Permission.VIEW_AGENT_EXTENSIONS)
    directory = request.app[DIRECTORY]
    person = directory.person_by_name(USERNAME.decode(request).username)
    if person is None:
        raise UserNotFound
    number = directory.number_of(person.user_id)
    if number is None:
        raise ExtensionNotFound
    return success_response(request, HeldExtensionAnswer(HeldExtension(person.uid, person.name, number)))


async def unassign_extension(request: web.Request) -> web.Response:
    """DELETE /api/v1/omnichannel/agent/extension/{username}: the extension gets a new secret, unless it is imported."""
    by = await require_caller(request)
    require_permission(by, Permission.MANAGE_AGENT_EXTENSIONS)
    try:
        name = USERNAME.decode(request).username
        held = await extensions.unassign_user(request.app[DATABASE], name, origin=origin_of(request, by))
    except NoSuchExtension:
        if request.app[SETTINGS].rocketchat_errors:
            return success_response(request, Success())
        raise
    await refresh_extensions(request, held.extension)
    answer = HeldExtensionAnswer(HeldExtension(held.uid, held.username, held.extension))
    response = success_response(request, answer)
    report_unrevoked(response, unrevoked_endpoints(request, held.extension), by)
    return response


_ASSIGNMENT_ERRORS = (
    BadArgument(_NO_USER_NAMED),
    NoSuchUser,
    NoSuchExtension,
    ExtensionTaken("12342"),
    DatabaseUnavailable,
    *BODY_ERRORS,
)
OPERATIONS = (
    Operation(
        method="POST",
        path=f"{PATH}/extension",
        handler=assign_extension,
        summary="Assign an extension to a user in place of their previous one",
        details="Atomic. Of two concurrent assignments of the same extension, one succeeds.",
        body=ASSIGNMENT,
        answer=Success,
        headers=(UNREVOKED,),
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=_ASSIGNMENT_ERRORS,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/extension/{{username}}",
        handler=get_assigned_extension,
        summary="Extension of a user",
        in_path=USERNAME,
        answer=HeldExtensionAnswer,
        permission=Permission.VIEW_AGENT_EXTENSIONS,
        errors=(UserNotFound, ExtensionNotFound),
    ),
    Operation(
        method="DELETE",
        path=f"{PATH}/extension/{{username}}",
        handler=unassign_extension,
        summary="Unassign a user's extension and change its SIP password",
        details="The SIP password of an imported extension stays: Asterisk owns it.",
        in_path=USERNAME,
        answer=HeldExtensionAnswer,
        headers=(UNREVOKED,),
        permission=Permission.MANAGE_AGENT_EXTENSIONS,
        errors=(NoSuchUser, NoSuchExtension, DatabaseUnavailable),
    ),
)
