"""Version and extensions: `connector.getVersion`, `connector.extension.list` and `getDetails`."""

from __future__ import annotations

import msgspec
from aiohttp import web

from service import __version__
from service.domain.models import Extension, Reading
from service.domain.permissions import Permission
from service.domain.registration_info import AUTHTYPE, named_phone, phone_to_register
from service.errors import SecretUnavailable
from service.slices import map_in_slices
from service.web.app_keys import DIRECTORY, SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import read_state, state_names, success_response
from service.web.http.disclosures import DISCLOSURES
from service.web.http.errors import ExtensionNotFound
from service.web.http.extension_query import EXTENSION, ONE_EXTENSION_ERRORS
from service.web.http.headers import FRESHNESS_HEADERS
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/connector"


class ListedExtension(msgspec.Struct, frozen=True):
    """Extension in a list. `password` and `authtype` are empty, as in Rocket.Chat."""

    extension: str
    state: str
    password: str = ""
    authtype: str = ""


class ExtensionList(msgspec.Struct, frozen=True):
    """Enabled extensions."""

    extensions: list[ListedExtension]
    success: Yes = True


class DetailedExtension(ListedExtension, frozen=True):
    """Extension with its SIP credentials."""

    success: Yes = True


async def get_version(request: web.Request) -> web.Response:
    """GET /api/v1/connector.getVersion: a bare JSON string."""
    require_permission(await require_caller(request), Permission.MANAGE_CALL_SETTINGS)
    return success_response(request, f"Asterisk Connector {__version__}")


async def list_extensions(request: web.Request) -> web.Response:
    """GET /api/v1/connector.extension.list"""
    require_permission(await require_caller(request), Permission.MANAGE_CALL_SETTINGS)
    extensions = request.app[DIRECTORY].registrable_extensions()
    names = state_names(request)

    def render(extension: Extension) -> tuple[Reading, ListedExtension]:
        reading = read_state(request, extension)
        return reading, ListedExtension(extension.number, names[reading.state])

    rendered = await map_in_slices(render, extensions)
    return success_response(
        request, ExtensionList([item for _, item in rendered]), [reading for reading, _ in rendered]
    )


async def get_details(request: web.Request) -> web.Response:
    """GET /api/v1/connector.extension.getDetails"""
    person = await require_caller(request)
    require_permission(person, Permission.MANAGE_CALL_SETTINGS)
    name = (await EXTENSION.decode(request)).extension
    extension = request.app[DIRECTORY].find_extension(name)
    if extension is None:
        raise ExtensionNotFound
    reading = read_state(request, extension)
    server = request.app[SETTINGS].call_servers.get(extension.call_server)
    usual = phone_to_register(extension, server.credentials) if server is not None else extension.own_phone
    phone = named_phone(extension, name) or usual
    if phone is not None and phone.secret is None:
        raise SecretUnavailable(f"there is no SIP password of endpoint {phone.endpoint} that this service can read")
    if phone is not None:
        request.app[DISCLOSURES].note(request, person, extension.number, phone.device)
    details = DetailedExtension(
        extension.number,
        state_names(request)[reading.state],
        (phone.secret or "") if phone is not None else "",
        AUTHTYPE if phone is not None else "",
    )
    return success_response(request, details, [reading])


OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}.getVersion",
        handler=get_version,
        summary="Connector name and version",
        answer=str,
        permission=Permission.MANAGE_CALL_SETTINGS,
    ),
    Operation(
        method="GET",
        path=f"{PATH}.extension.list",
        handler=list_extensions,
        summary="Enabled extensions with their live states",
        answer=ExtensionList,
        headers=FRESHNESS_HEADERS,
        permission=Permission.MANAGE_CALL_SETTINGS,
    ),
    Operation(
        method="GET",
        path=f"{PATH}.extension.getDetails",
        handler=get_details,
        summary="Extension details with live state and SIP password",
        query=EXTENSION,
        answer=DetailedExtension,
        headers=FRESHNESS_HEADERS,
        permission=Permission.MANAGE_CALL_SETTINGS,
        errors=ONE_EXTENSION_ERRORS,
    ),
)
