"""The Python softphone of docs/api.md is told to end, at each moment of its first steps.

The service and the SIP peer are scripted: they answer within a known number of turns of the event loop, so that a
cancellation meets the arrival of each answer. A real Asterisk cannot be made to answer at a chosen turn.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.documents import BASE, blocks

MOMENTS = range(120)
"""Turns of the event loop: it has registered, and polls, long before the last one."""
CHALLENGE = 'WWW-Authenticate: Digest realm="r",nonce="n",opaque="o",algorithm=MD5,qop="auth"'
RUN = "\nwith contextlib.suppress(KeyboardInterrupt):\n    asyncio.run(main())\n"


class Registrar:
    """Challenges each REGISTER, and accepts the one with credentials. `expires` is what it accepted."""

    def __init__(self) -> None:
        self.expires: list[int] = []

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=["sip"])
        await socket.prepare(request)
        async for message in socket:
            number, expires = _header("CSeq", message.data), int(_header("expires", message.data, "="))
            accepted = "\r\nAuthorization: " in message.data
            if accepted:
                self.expires.append(expires)
            status = "SIP/2.0 200 OK" if accepted else f"SIP/2.0 401 Unauthorized\r\n{CHALLENGE}"
            await socket.send_str(f"{status}\r\nCSeq: {number}\r\nContent-Length: 0\r\n\r\n")
        return socket


def _header(name: str, message: str, separator: str = ": ") -> str:
    found = re.search(f"{name}{separator}([^\r]+)", message)
    assert found is not None, message
    return found[1]


@asynccontextmanager
async def service(registrar: Registrar) -> AsyncIterator[str]:
    """What the softphone asks, until the block ends: the base of its URLs."""

    async def info(request: web.Request) -> web.Response:
        line = {"extension": "12342", "password": "a-secret"}
        address = str(request.url.with_scheme("ws").with_path("/ws").with_query(None))
        return web.json_response(
            {"host": "127.0.0.1", "extensionDetails": line, "callServerConfig": {"websocketPath": address}}
        )

    async def login(_: web.Request) -> web.Response:
        return web.json_response({"data": {"authToken": "a-token", "userId": "an-id"}})

    async def presence(request: web.Request) -> web.Response:
        if "since" in request.query:
            await asyncio.Event().wait()
        return web.json_response({"cursor": "1", "presence": []})

    app = web.Application()
    app.router.add_get("/ws", registrar.serve)
    app.router.add_post("/api/v1/login", login)
    app.router.add_get("/api/v1/connector.extension.getRegistrationInfoByUserId", info)
    app.router.add_get("/api/v1/presence", presence)
    async with TestServer(app, shutdown_timeout=0) as server:
        yield f"http://127.0.0.1:{server.port}"


def softphone(base: str) -> Callable[[], Awaitable[None]]:
    """The documented program's `main`."""
    (program,) = blocks("docs/api.md", "python")
    assert program.endswith(RUN)
    names: dict[str, Any] = {"__name__": "softphone"}
    exec(compile(program.removesuffix(RUN).replace(BASE, base), "docs/api.md", "exec"), names)  # noqa: S102
    main: Callable[[], Awaitable[None]] = names["main"]
    return main


async def test_whenever_it_is_told_to_end_it_does_and_leaves_nothing_registered() -> None:
    registrar, registered = Registrar(), 0
    async with service(registrar) as base:
        main = softphone(base)
        for moment in MOMENTS:
            registrar.expires.clear()
            running = asyncio.ensure_future(main())
            for _ in range(moment):
                await asyncio.sleep(0)
            running.cancel()
            await asyncio.wait([running], timeout=20)  # a timeout would cancel it once more
            assert running.done(), f"after {moment} turns it went on"
            assert running.cancelled(), f"after {moment} turns: {running.exception()!r}"
            assert registrar.expires[-1:] in ([], [0]), f"after {moment} turns it stayed registered"
            registered += bool(registrar.expires)
    assert registered > 1, "no moment was late enough"
