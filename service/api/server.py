"""The application behind aiohttp's server: `Front` is asked for each answer, and for one to what is no HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from service.api.front import Front
from service.keys import SETTINGS


class Runner(web.AppRunner):
    """Starts and ends an application. The options are those of aiohttp's `RequestHandler`.

    There is no access log: it costs more than an answer.
    """

    async def _make_server(self) -> web.Server:
        await super()._make_server()  # starts the application; the server that it makes is not used
        return Server(self.app, **{**self._kwargs, "access_log": None})


class Server(web.Server):
    """Makes a `Connection` for each client."""

    def __init__(self, app: web.Application, *, handler_cancellation: bool = False, **options: Any) -> None:
        self._front, self._options = Front(app), options
        loop, most = asyncio.get_running_loop(), app[SETTINGS].body_limit

        def request(message: Any, payload: Any, protocol: Any, writer: Any, task: Any) -> web.Request:
            return web.Request(message, payload, protocol, writer, task, loop, client_max_size=most)

        super().__init__(self._front.answer, request_factory=request, handler_cancellation=handler_cancellation)  # type: ignore[arg-type]

    def __call__(self) -> web.RequestHandler:
        return Connection(self._front, self, loop=asyncio.get_running_loop(), **self._options)


class Connection(web.RequestHandler):
    """One client."""

    __slots__ = ("_front", "_on_lost")

    def __init__(self, front: Front, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._front = front
        self._on_lost: Callable[[], None] | None = None

    def tell_lost(self, on_lost: Callable[[], None] | None) -> None:
        """Call this once the client is gone, or now if it is; aiohttp alone finds out when it writes."""
        self._on_lost = on_lost
        if on_lost is not None and self.transport is None:
            on_lost()

    def connection_lost(self, exc: BaseException | None) -> None:
        """As above."""
        super().connection_lost(exc)
        if self._on_lost is not None:
            self._on_lost()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """aiohttp would answer with the malformed line, and log it: there may be a token in it."""
        return self._front.malformed() if status == 400 else super().handle_error(request, status, exc, message)


def connection_of(request: web.Request) -> Connection:
    """The client who asks."""
    connection = request.protocol
    assert isinstance(connection, Connection)
    return connection
