"""The pages and their files: types, caching, compression, and what a browser may do."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from service.web.pages.assets import STATIC
from service.web.pages.documents import PAGES, Page
from tests.support.server import Server

IMMUTABLE = "public, max-age=31536000, immutable"


async def served_names(shared: Server) -> set[str]:
    """The served name of each file that a page names, directly or through a module."""
    names: set[str] = set()
    texts = [await (await shared.client.get(page.path)).text() for page in PAGES]
    while texts:
        found = set(re.findall(r'"(?:assets|\.)/([a-z0-9-]+\.[0-9a-f]{16}\.[a-z0-9]+)"', texts.pop())) - names
        names |= found
        texts += [await (await shared.client.get(f"/assets/{name}")).text() for name in found if name.endswith(".js")]
    return names


async def test_every_file_is_reached_from_a_page_and_kept_for_good(shared: Server) -> None:
    names = await served_names(shared)
    assert {re.sub(r"\.[0-9a-f]{16}", "", name) for name in names} == {path.name for path in STATIC.iterdir()}
    for name in names:
        answer = await shared.client.get(f"/assets/{name}")
        assert (answer.status, answer.headers["Cache-Control"]) == (200, IMMUTABLE)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        if not name.startswith("jssip"):  # it and its licences name where they come from, and load nothing
            assert "://" not in re.sub(r"http://www\.w3\.org/2000/svg", "", await answer.text()), "from elsewhere"
    types = {"js": "text/javascript; charset=utf-8", "css": "text/css; charset=utf-8"}
    for name in names:
        kind = name.rpartition(".")[2]
        if kind in types:
            assert (await shared.client.get(f"/assets/{name}")).headers["Content-Type"] == types[kind]


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [("gzip, br", "gzip"), ("br, GZIP;q=0.5", "gzip"), ("identity", None), ("gzip;q=0", None), ("gzip; q=0.0", None)],
)
async def test_a_file_is_compressed_for_those_who_accept_it(shared: Server, accepts: str, coding: str | None) -> None:
    name = next(name for name in await served_names(shared) if name.startswith("style."))
    answer = await shared.client.get(f"/assets/{name}", headers={"Accept-Encoding": accepts})
    assert answer.headers.get("Content-Encoding") == coding
    assert "Accept-Encoding" in answer.headers["Vary"]
    assert await answer.read() == (STATIC / "style.css").read_bytes()
    head = await shared.client.head(f"/assets/{name}", headers={"Accept-Encoding": accepts})
    assert head.headers["Content-Length"] == answer.headers["Content-Length"]


@pytest.mark.parametrize(
    "name", ["style.css", "style.0000000000000000.css", "..%2fhtml%2fboard.html", "%00", "style.css%0d%0aX:%20y"]
)
async def test_another_name_is_no_file_and_is_not_kept(shared: Server, name: str) -> None:
    answer = await shared.client.get(f"/assets/{name}")
    assert (answer.status, answer.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
async def test_a_page_loads_nothing_from_elsewhere_and_sets_no_cookie(shared: Server, page: Page) -> None:
    answer = await shared.client.get(page.path)
    text, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    (inline,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    assert policy.startswith(f"default-src 'none'; script-src 'self' 'sha256-{digest}'; style-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in answer.headers
    assert "://" not in text
    assert not re.search(r"<style|<script(?!>| type=\"module\" src=)|\son\w+=|\sstyle=", text)
    microphone = "microphone=(self)" if page.calls else "microphone=()"
    assert microphone in answer.headers["Permissions-Policy"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
async def test_a_page_that_is_known_is_not_sent_again(shared: Server, page: Page) -> None:
    first = await shared.client.get(page.path)
    again = await shared.client.get(page.path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status, await again.read()) == (200, 304, b"")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"
    assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
