"""Whether the configured call servers can be reached: their AMI, and the WebSocket that softphones are given.

Rocket.Chat's server connected to whatever host its client named, with whatever password: an open door into the network
behind it, and a place to try passwords of any account. Here the settings say where the call servers are. What a client
names must be one of them, so that its form goes on to work; what it does not name is the settings', so that no password
needs to travel in a URL. The connection that is then made is a real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Literal

import aiohttp
import msgspec
from aiohttp import web
from msgspec import Meta

from service.ami.accounts import Account
from service.ami.connection import NullEvents, connect
from service.domain.permissions import Permission
from service.errors import CallServerUnavailable, Invalid
from service.settings import CallServer
from service.web.app_keys import SETTINGS
from service.web.auth.authentication import require_caller
from service.web.auth.permissions import require_permission
from service.web.connector.responses import answered
from service.web.http.errors import BODY_ERRORS, BadArgument, NotConnected
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/voip"
WITHIN = 5.0
"""Seconds that a WebSocket may take."""


class ManagementServer(msgspec.Struct, frozen=True):
    """An AMI and its account, as the settings have them; all of them, if nothing is named."""

    host: Annotated[str | None, Meta(description="`AMI_HOST` of a call server.")] = None
    port: Annotated[str | None, Meta(description="`AMI_PORT` of the call server.")] = None
    username: Annotated[str | None, Meta(description="`MONITOR_USERNAME` of the call server.")] = None
    password: Annotated[str | None, Meta(description="Secret to test in place of `MONITOR_SECRET`.")] = None


MANAGEMENT_SERVER = QueryOrJson(ManagementServer, RocketChat)


class CallServerAddress(msgspec.Struct, frozen=True, rename="camel"):
    """A WebSocket, as the settings have it; all of them, if nothing is named."""

    websocket_url: Annotated[str | None, Meta(description="Complete WebSocket URL, as in registration info.")] = None
    host: Annotated[str | None, Meta(description="`HOST` of a call server.")] = None
    port: Annotated[str | None, Meta(description="`WEBSOCKET_PORT` of the call server.")] = None
    path: Annotated[
        str | None, Meta(description="`WEBSOCKET_PATH` of the call server, with or without the leading slash.")
    ] = None


CALL_SERVER = QueryOrJson(CallServerAddress, RocketChat)


class ConnectionStatus(msgspec.Struct, frozen=True):
    """Result of a successful connection check."""

    status: Literal["connected"] = "connected"
    success: Yes = True


async def check_management_server(request: web.Request) -> web.Response:
    """GET /api/v1/voip/managementServer/checkConnection"""
    require_permission(await require_caller(request), Permission.MANAGE_CONTACT_CENTER)
    asked = await MANAGEMENT_SERVER.decode(request)
    wanted = (asked.host, asked.port, asked.username)
    for server in _named(request, lambda each: _fits(wanted, each.ami_host, str(each.ami_port), each.monitor_username)):
        account = Account.monitor(server)
        if asked.password is not None:
            account = replace(account, secret=asked.password)
        try:
            async with connect(account, NullEvents()):
                pass
        except (CallServerUnavailable, Invalid) as error:
            raise NotConnected(str(error)) from None
    return answered(request, ConnectionStatus())


async def check_call_server(request: web.Request) -> web.Response:
    """GET /api/v1/voip/callServer/checkConnection"""
    require_permission(await require_caller(request), Permission.MANAGE_CONTACT_CENTER)
    asked = await CALL_SERVER.decode(request)
    path = "/" + asked.path.removeprefix("/") if asked.path is not None else None
    wanted = (asked.websocket_url, asked.host, asked.port, path)

    def named(each: CallServer) -> bool:
        return _fits(wanted, each.address("").websocket_url, each.host, str(each.websocket_port), each.websocket_path)

    for server in _named(request, named):
        await _open(server.address("").websocket_url)
    return answered(request, ConnectionStatus())


def _named(request: web.Request, fits: Callable[[CallServer], bool]) -> list[CallServer]:
    found = [server for server in request.app[SETTINGS].call_servers.values() if fits(server)]
    if not found:
        raise NotConnected("No such call server is configured")
    return found


def _fits(wanted: tuple[str | None, ...], *has: str) -> bool:
    return all(want is None or want == had for want, had in zip(wanted, has, strict=True))


async def _open(url: str) -> None:
    """Open a WebSocket for SIP, and close it. Raises NotConnected."""
    try:
        async with (
            asyncio.timeout(WITHIN),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=("sip",)) as socket,
        ):
            if socket.protocol != "sip":
                raise NotConnected(f"{url} is a WebSocket, but not for SIP")
    except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is one too
        raise NotConnected(f"{url} cannot be reached: {str(error) or f'no answer within {WITHIN:g} s'}") from None


_ERRORS = (
    BadArgument("Expected string, got number in field port"),
    NotConnected("No such call server is configured"),
    *BODY_ERRORS,
)
OPERATIONS = (
    Operation(
        method="GET",
        path=f"{PATH}/managementServer/checkConnection",
        handler=check_management_server,
        summary="AMI connection check for the call servers",
        details="A failed check returns 400 with the reason. Only configured call servers are contacted.",
        query=MANAGEMENT_SERVER,
        answer=ConnectionStatus,
        permission=Permission.MANAGE_CONTACT_CENTER,
        errors=_ERRORS,
    ),
    Operation(
        method="GET",
        path=f"{PATH}/callServer/checkConnection",
        handler=check_call_server,
        summary="WebSocket connection check for the softphone endpoints",
        details="A failed check returns 400 with the reason. Only configured call servers are contacted.",
        query=CALL_SERVER,
        answer=ConnectionStatus,
        permission=Permission.MANAGE_CONTACT_CENTER,
        errors=_ERRORS,
    ),
)
