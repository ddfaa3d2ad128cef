"""Runs the application on aiohttp's server, which calls the `Dispatcher` for every response.

The cost of unauthenticated clients is bounded: see docs/decisions/0011.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from service.web.app_keys import SETTINGS
from service.web.server.connection import Connection
from service.web.server.connection_bounds import READ_AHEAD, ConnectionBounds
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.dispatcher import Dispatcher
from service.web.server.request import Request
from service.web.server.write_backlog import WRITE_BACKLOG

KEEPALIVE = 75.0
"""Seconds that an idle connection stays open: longer than most poll intervals and proxies' timeouts."""
LINGER = 2.0
"""Seconds for reading and discarding an unwanted body, so that its sender gets to read the response."""
OPTIONS = {"access_log": None, "auto_decompress": False, "read_bufsize": READ_AHEAD, "lingering_time": LINGER}


class HttpRunner(web.ServerRunner):
    """Starts and ends an application. The options are those of aiohttp's `RequestHandler`.

    There is no access log: it costs more than a response. No body is decompressed.
    """

    def __init__(self, app: web.Application, *, shutdown_timeout: float = 60.0, **options: Any) -> None:
        super().__init__(HttpServer(app, **options), shutdown_timeout=shutdown_timeout)
        self._application = app

    async def setup(self) -> None:
        """Start the application, then its server."""
        self._application.on_startup.freeze()
        await self._application.startup()
        self._application.freeze()
        await super().setup()

    async def shutdown(self) -> None:
        """Notify the application that its connections are about to be closed."""
        await self._application.shutdown()

    async def cleanup(self) -> None:
        """End the server, then the application."""
        await super().cleanup()
        await self._application.cleanup()


class HttpServer(web.Server):
    """Makes a connection for each client."""

    def __init__(
        self,
        app: web.Application,
        *,
        keepalive_timeout: float = KEEPALIVE,
        handler_cancellation: bool = False,
        **options: Any,
    ) -> None:
        self._dispatcher, self._options = Dispatcher(app), {**options, **OPTIONS}
        self._event_loop, self._body_limit = asyncio.get_running_loop(), app[SETTINGS].body_limit
        self._bounds = ConnectionBounds(app[WRITE_BACKLOG], app[CONNECTION_LIMIT], keepalive_timeout)
        super().__init__(self._dispatcher.answer, request_factory=self.begun, handler_cancellation=handler_cancellation)  # type: ignore[arg-type]

    def begun(self, message: Any, payload: Any, protocol: Connection, writer: Any, task: Any) -> Request:
        """The request that aiohttp's task begins to answer."""
        protocol.on_request_begun(payload)
        return Request(message, payload, protocol, writer, task, self._event_loop, client_max_size=self._body_limit)

    def __call__(self) -> web.RequestHandler:
        return Connection(self._dispatcher, self, self._bounds, loop=self._event_loop, **self._options)
