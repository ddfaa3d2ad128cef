"""Types of request handlers: a coroutine, or a plain function that never waits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web

from service.web.http.polled_request import PolledRequest
from service.web.http.prebuilt_response import PrebuiltResponse

Handler = Callable[[web.Request], Awaitable[web.StreamResponse | PrebuiltResponse]]
PlainHandler = Callable[[PolledRequest], Awaitable[PrebuiltResponse]]
"""A handler that depends on nothing but a `PolledRequest`: it can answer a plain request without aiohttp."""
SyncHandler = Callable[[PolledRequest], PrebuiltResponse | None]
"""A handler that never waits: returns None, without side effects, if it had to. Raises what the handler raises."""
