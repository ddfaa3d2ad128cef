"""What answers a request: a coroutine, or a plain call where nothing has to be waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from service.web.http.prebuilt_response import Ready

Handler = Callable[[web.Request], Awaitable[web.StreamResponse | Ready]]
AtOnce = Callable[[web.Request], Ready | None]
"""A handler that never waits. None: it would have to, and has done nothing. Raises what the handler raises."""
