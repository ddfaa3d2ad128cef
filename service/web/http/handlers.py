"""What answers a request: a coroutine, or a plain call where nothing has to be waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from service.web.http.prebuilt_response import PrebuiltResponse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse | PrebuiltResponse]]
SyncHandler = Callable[[web.Request], PrebuiltResponse | None]
"""A handler that never waits. None: it would have to, and has done nothing. Raises what the handler raises."""
