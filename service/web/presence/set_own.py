"""Setting one's own presence. Asterisk owns it: the answer is 200 only after Asterisk took it."""

from __future__ import annotations

from typing import Annotated

import msgspec
from aiohttp import web
from msgspec import Meta

from service.domain.presence_state import Presence, PresenceState
from service.errors import CallServerUnavailable
from service.web.app_keys import DIRECTORY, PRESENCE_ACCOUNTS
from service.web.auth.authentication import require_caller
from service.web.http import body
from service.web.http.errors import BadArgument, ExtensionNotFound, encode
from service.web.openapi.operation import Operation, Success

LONGEST_MESSAGE = 200


async def put(request: web.Request) -> web.Response:
    """PUT /api/v1/presence {"presence", "message"?}"""
    person = await require_caller(request)
    given = await body.read_object(request)
    presence = _presence(given.get("presence"), given.get("message"))
    extension = request.app[DIRECTORY].extension_of(person.uid)
    if extension is None:
        raise ExtensionNotFound
    account = request.app[PRESENCE_ACCOUNTS].get(extension.call_server)
    if account is None:
        raise CallServerUnavailable(f"call server {extension.call_server} has no account that sets presence")
    await account.use(lambda connection: connection.set_presence(extension.number, presence))
    return web.Response(body=encode({"success": True}), content_type="application/json")


def _presence(state: object, message: object) -> Presence:
    if not isinstance(state, str):
        raise BadArgument("Missing key 'presence'" if state is None else "Expected string in field presence")
    if state not in PresenceState.__members__.values():
        raise BadArgument(f"Expected one of {', '.join(PresenceState)} in field presence")
    if message is None:
        message = ""
    if not isinstance(message, str) or len(message) > LONGEST_MESSAGE or not (message.isprintable() or not message):
        raise BadArgument(f"Expected at most {LONGEST_MESSAGE} printable characters in field message")
    return Presence(PresenceState(state), message)


class OwnPresence(msgspec.Struct, frozen=True):
    """Presence set by the user."""

    presence: PresenceState
    message: Annotated[
        str, Meta(max_length=LONGEST_MESSAGE, description="Presence message. Printable characters only.")
    ] = ""


OPERATIONS = (
    Operation(
        method="PUT",
        path="/api/v1/presence",
        handler=put,
        summary="Set the caller's presence",
        details="Stored in Asterisk. 200 after Asterisk has accepted it, 503 when Asterisk is unreachable.",
        body=OwnPresence,
        answer=Success,
        errors=(ExtensionNotFound,),
    ),
)
