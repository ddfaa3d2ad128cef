"""Connection checks for the configured call servers: their AMI, and the WebSocket of the softphones.

Rocket.Chat's server connected to any host and tried any password that its client named: a way into the network behind
it, and a tool for guessing passwords. Here only configured call servers are contacted. The parameters must match one of
them, so existing forms keep working; absent parameters default to the settings, so no password has to travel in a URL.
The check opens a real connection.
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
from service.web.connector.responses import success_response
from service.web.http.errors import BODY_ERRORS, BadArgument, NotConnected
from service.web.http.param_errors import RocketChat
from service.web.http.params import QueryOrJson
from service.web.openapi.operation import Operation, Yes

PATH = "/api/v1/voip"
WEBSOCKET_DEADLINE = 5.0
"""Seconds for opening a WebSocket."""


class ManagementServer(msgspec.Struct, frozen=True):
    """A configured AMI and its account; all of them by default."""

    host: Annotated[str | None, Meta(description="`AMI_HOST` of a call server.")] = None
    port: Annotated[str | None, Meta(description="`AMI_PORT` of the call server.")] = None
    username: Annotated[str | None, Meta(description="`MONITOR_USERNAME` of the call server.")] = None
    password: Annotated[str | None, Meta(description="Secret to test in place of `MONITOR_SECRET`.")] = None


MANAGEMENT_SERVER = QueryOrJson(ManagementServer, RocketChat)


class CallServerAddress(msgspec.Struct, frozen=True, rename="camel"):
    """A configured WebSocket; all of them by default."""

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
    query = await MANAGEMENT_SERVER.decode(request)
    wanted = (query.host, query.port, query.username)

    def is_requested(server: CallServer) -> bool:
        return _matches(wanted, server.ami_host or "", str(server.ami_port), server.monitor_username)

    for server in _requested_servers(request, is_requested):
        try:
            account = Account.monitor(server)
            if query.password is not None:
                account = replace(account, secret=query.password)
            async with connect(account, NullEvents()):
                pass
        except (CallServerUnavailable, Invalid) as error:
            raise NotConnected(str(error)) from None
    return success_response(request, ConnectionStatus())


async def check_call_server(request: web.Request) -> web.Response:
    """GET /api/v1/voip/callServer/checkConnection"""
    require_permission(await require_caller(request), Permission.MANAGE_CONTACT_CENTER)
    query = await CALL_SERVER.decode(request)
    path = "/" + query.path.removeprefix("/") if query.path is not None else None
    wanted = (query.websocket_url, query.host, query.port, path)

    def is_requested(server: CallServer) -> bool:
        url = server.address("").websocket_url
        return _matches(wanted, url, server.host, str(server.websocket_port), server.websocket_path)

    for server in _requested_servers(request, is_requested):
        await _check_websocket(server.address("").websocket_url)
    return success_response(request, ConnectionStatus())


def _requested_servers(request: web.Request, is_requested: Callable[[CallServer], bool]) -> list[CallServer]:
    servers = [server for server in request.app[SETTINGS].call_servers.values() if is_requested(server)]
    if not servers:
        raise NotConnected("No such call server is configured")
    return servers


def _matches(wanted: tuple[str | None, ...], *configured: str) -> bool:
    return all(value is None or value == setting for value, setting in zip(wanted, configured, strict=True))


async def _check_websocket(url: str) -> None:
    """Open a WebSocket for SIP, and close it. Raises NotConnected."""
    try:
        async with (
            asyncio.timeout(WEBSOCKET_DEADLINE),
            aiohttp.ClientSession() as session,
            session.ws_connect(url, protocols=("sip",)) as socket,
        ):
            if socket.protocol != "sip":
                raise NotConnected(f"{url} is a WebSocket, but not for SIP")
    except (aiohttp.ClientError, OSError) as error:  # TimeoutError is an OSError
        raise NotConnected(
            f"{url} cannot be reached: {str(error) or f'no answer within {WEBSOCKET_DEADLINE:g} s'}"
        ) from None


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
