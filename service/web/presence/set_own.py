"""Sets the caller's presence. Asterisk stores it: the response is 200 only after Asterisk has accepted it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from service.domain.custom_presence import Presence, PresenceState
from service.errors import CallServerUnavailable
from service.web.app_keys import DIRECTORY, LINKS, PRESENCE_CONNECTIONS
from service.web.auth.authentication import require_caller
from service.web.http.errors import ExtensionNotFound, encode
from service.web.http.param_errors import BriefRocketChat, WrongValue
from service.web.http.params import Body
from service.web.openapi.operation import Operation, Success
from service.web.presence.presence_audit import audit_presence

MAX_MESSAGE_LENGTH = 200


class OwnPresence(msgspec.Struct, frozen=True):
    """Presence set by the user."""

    presence: PresenceState
    message: Annotated[
        str,
        Meta(
            max_length=MAX_MESSAGE_LENGTH,
            description="Presence message. Printable characters only.",
            extra={"expected": f"at most {MAX_MESSAGE_LENGTH} printable characters"},
        ),
    ] = ""


def printable(message: str) -> str:
    """A message of printable characters, or an empty one. Raises WrongValue."""
    if message and not message.isprintable():
        raise WrongValue(message)
    return message


OWN_PRESENCE = Body(OwnPresence, BriefRocketChat, checks={"message": printable})


async def set_presence(request: web.Request) -> web.Response:
    """PUT /api/v1/presence {"presence", "message"?}"""
    person = await require_caller(request)
    given = await OWN_PRESENCE.decode(request)
    presence = Presence(given.presence, given.message)
    extension = request.app[DIRECTORY].extension_of(person.uid)
    if extension is None:
        raise ExtensionNotFound
    presence_connection = request.app[PRESENCE_CONNECTIONS].get(extension.call_server)
    if presence_connection is None:
        raise CallServerUnavailable(f"call server {extension.call_server} has no account that sets presence")
    presence_id = request.app[LINKS][extension.call_server].mapping.presence_id_of(extension)
    await presence_connection.set_presence(presence_id, presence)
    await audit_presence(request, person, extension.number, presence.state)
    return web.Response(body=encode({"success": True}), content_type="application/json")


OPERATIONS = (
    Operation(
        method="PUT",
        path="/api/v1/presence",
        handler=set_presence,
        summary="Set the caller's presence",
        details="Stored in Asterisk. 200 after Asterisk has accepted it, 503 when Asterisk is unreachable or does not "
        "answer within 10 s. After a 503 the change may have happened, or may happen later: read the presence, or set "
        "it again. While the dialplan's do-not-disturb (`Custom:DND<number>`) is on, the presence shown stays `dnd`.",
        body=OWN_PRESENCE,
        answer=Success,
        errors=(ExtensionNotFound,),
    ),
)
