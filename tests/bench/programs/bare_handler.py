"""The least that aiohttp can do for the same answer: no authentication, no errors, no state.

    python -m tests.bench.programs.bare_handler poll|user PORT CONFIGURATION

`poll` always answers the same bytes and headers; `user` asks PostgreSQL for the row of each request.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import msgspec
from aiohttp import web

from service.runtime import event_loop
from tests.bench.rig.processes import emit

Handler = Callable[[web.Request], Awaitable[web.Response]]


def poll(configuration: dict[str, Any]) -> Handler:
    """Answers the bytes and the headers that the service was seen to answer."""
    body, headers = configuration["body"].encode(), configuration["headers"]
    status = configuration.get("status", 200)

    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers, status=status)

    return handle


async def user(configuration: dict[str, Any]) -> Handler:
    """Answers one row, read with the service's own statement through a pool of the same size."""
    url, password = os.environ["BENCH_DATABASE_URL"], os.environ["BENCH_DATABASE_PASSWORD"]
    pool = await asyncpg.create_pool(url, password=password, min_size=10, max_size=10)
    statement, headers, encode = configuration["statement"], configuration["headers"], msgspec.json.Encoder().encode

    async def handle(request: web.Request) -> web.Response:
        row = await pool.fetchrow(statement, int(request.match_info["user_id"]))
        assert row is not None
        return web.Response(body=encode({"success": True, "payload": dict(row)}), headers=headers)

    return handle


async def main(what: str, port: int, configuration: dict[str, Any]) -> None:
    """Serve until killed."""
    app = web.Application()
    if what == "poll":
        app.router.add_get("/api/v1/{name}", poll(configuration))
        app.router.add_get("/api/v1/presence/{extension}", poll(configuration))
    else:
        app.router.add_get("/user/{user_id}", await user(configuration))
    runner = web.AppRunner(app, access_log=None, keepalive_timeout=75.0)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, backlog=1024).start()
    emit(ready=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop.factory()) as one:
        one.run(main(sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])))
