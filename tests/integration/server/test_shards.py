"""The proxy of docs/scale.md, run as it is there: a real nginx before two shards.

A shard here is a server that says its name. What a shard is, a whole installation, is tested everywhere else.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession, web

from local import ports
from tests.support import nginx
from tests.support.command_line import ROOT
from tests.support.eventually import eventually

POLL = "/api/v1/connector.extension.getRegistrationInfoByUserId"
WEST, EAST, NOWHERE = "hT5rLwQ8vKz2fYj6N", "kQ7sMxR9wLa3gZk8P", "mR8tNyS2xMb4hAm9Q"
HELD = "/api/v1/presence"


async def shard(name: str, going_on: asyncio.Event) -> tuple[web.AppRunner, int]:
    async def answer(request: web.Request) -> web.Response:
        if request.path == HELD:
            await going_on.wait()
        return web.Response(text=f"{name} {request.headers.get('X-User-Id')} {request.headers['X-Forwarded-For']}")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    return runner, int(runner.addresses[0][1])


@pytest.fixture
async def going_on() -> asyncio.Event:
    """Set: polls that are held end."""
    return asyncio.Event()


@pytest.fixture
async def proxy(tmp_path: Path, going_on: asyncio.Event) -> AsyncIterator[tuple[str, nginx.Nginx]]:
    """The URL of the proxy, and the proxy; its list of uids is in `tmp_path`."""
    root = await asyncio.to_thread(nginx.extracted)
    (snippet,) = re.findall(r"```nginx\n(.*?)```", (ROOT / "docs/scale.md").read_text(), re.DOTALL)
    port, runners = ports.free_port(), []
    (tmp_path / "shards").mkdir()
    for documented, name, uid in ((8081, "west", WEST), (8082, "east", EAST)):
        runner, its = await shard(name, going_on)
        runners.append(runner)
        assert f"127.0.0.1:{documented};" in snippet
        snippet = snippet.replace(f"127.0.0.1:{documented};", f"127.0.0.1:{its};")
        (tmp_path / f"shards/{name}.map").write_text(f"{uid} {name};\n")
    async with nginx.proxying(root, tmp_path, snippet.replace("127.0.0.1:8080;", f"127.0.0.1:{port};")) as running:
        yield f"http://127.0.0.1:{port}", running
    going_on.set()
    for runner in runners:
        await runner.cleanup()


@pytest.mark.parametrize(
    ("path", "caller", "expected"),
    [
        (f"{POLL}?id={EAST}", EAST, "east"),
        (f"{POLL}?id={EAST}", WEST, "east"),  # an admin asks for somebody else
        (f"{POLL}?id={WEST}", EAST, "west"),
        ("/api/v1/me", EAST, "east"),
        (f"/api/v1/me?id={WEST}", EAST, "east"),  # only the poll is by its id
        ("/api/v1/me", WEST, "west"),
        (f"{POLL}?id={NOWHERE}", EAST, "west"),
        (POLL, EAST, "west"),
        ("/api/v1/me", NOWHERE, "west"),
        ("/livez", None, "west"),
    ],
)
async def test_the_proxy_finds_the_shard_of_a_person(
    proxy: tuple[str, nginx.Nginx], path: str, caller: str | None, expected: str
) -> None:
    headers = {"X-User-Id": caller} if caller else {}
    async with ClientSession() as session, session.get(proxy[0] + path, headers=headers) as answer:
        assert await answer.text() == f"{expected} {caller} 127.0.0.1"


async def test_a_person_moves_with_a_reload_that_drops_nothing(
    proxy: tuple[str, nginx.Nginx], tmp_path: Path, going_on: asyncio.Event
) -> None:
    url, running = proxy
    headers = {"X-User-Id": EAST}
    async with ClientSession() as session:

        async def told(path: str) -> str:
            async with session.get(url + path, headers=headers) as answer:
                assert answer.status == 200
                return (await answer.text()).split()[0]

        held = asyncio.create_task(told(HELD))
        assert await told("/api/v1/me") == "east"
        (tmp_path / "shards/east.map").write_text("")
        (tmp_path / "shards/west.map").write_text(f"{WEST} west;\n{EAST} west;\n")
        await running.reload()

        async def moved() -> bool:
            return await told("/api/v1/me") == "west"

        await eventually(moved, 10, "the person is at the other shard")
        going_on.set()
        assert await held == "east", "a request that was on its way is answered"
