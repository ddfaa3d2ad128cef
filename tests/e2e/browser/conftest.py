"""A browser, and a site of another origin than the service's, whose pages it opens."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from local import node, ports
from tests.e2e.browser.board_page import TILES
from tests.e2e.browser.docs_page import shown
from tests.e2e.browser.pages import AGENT, holds, log_in, shows
from tests.e2e.run import Run
from tests.support.browser import Browser, Page, browser


@dataclass
class Site:
    """Pages of one origin that the service lists, and, by another name of the machine, of one that it does not."""

    port: int
    pages: dict[str, tuple[str, str]] = field(default_factory=lambda: {"/": ("text/html", "<!doctype html><p>A page")})
    """Type and text by path."""

    @property
    def listed(self) -> str:
        return f"http://{ports.LOOPBACK}:{self.port}"

    @property
    def unlisted(self) -> str:
        return f"http://localhost:{self.port}"

    def runs(self, name: str, script: str) -> str:
        """The listed URL of a page that runs this module."""
        self.pages[f"/{name}.js"] = ("text/javascript", script)
        self.pages[f"/{name}"] = ("text/html", f'<!doctype html><script type="module" src="{name}.js"></script>')
        return f"{self.listed}/{name}"

    async def answer(self, request: web.Request) -> web.Response:
        type_, text = self.pages.get(request.path, ("", ""))
        return web.Response(text=text, content_type=type_) if type_ else web.Response(status=404)


@pytest.fixture(scope="package")
async def chromium() -> AsyncIterator[Browser]:
    async with browser() as made:
        yield made


@pytest.fixture(scope="package")
async def site(page_socket: socket.socket) -> AsyncIterator[Site]:
    made = Site(page_socket.getsockname()[1])
    app = web.Application()
    app.router.add_get("/{path:.*}", made.answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.SockSite(runner, page_socket).start()
    yield made
    await runner.cleanup()


@pytest.fixture(scope="package")
async def modules() -> Path:
    """The node_modules that the lock file here names."""
    return await asyncio.to_thread(node.modules, Path(__file__).parent)


@pytest.fixture
async def docs(run: Run, chromium: Browser) -> AsyncIterator[Page]:
    """The page, which must have nothing to complain of at the end: no error, and no breach of its policy."""
    async with chromium.page(f"{run.base}/docs") as page:
        await shown(page)
        yield page
        assert page.console == []
        assert [url for url in page.requests if not url.startswith((run.base, "data:"))] == []


@pytest.fixture
async def board(run: Run, chromium: Browser) -> AsyncIterator[Page]:
    """The board of an agent, live."""
    async with chromium.page(f"{run.base}/board") as page:
        await page.resize(1280, 800)
        await log_in(page, *AGENT)
        await shows(page, "#connection", "Live")
        await holds(page, f"{TILES}.length === 2")
        yield page
        assert [line for line in page.console if line.startswith("uncaught")] == []
        assert [url for url in page.requests if not url.startswith(run.base)] == []
