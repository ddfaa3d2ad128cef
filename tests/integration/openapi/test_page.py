"""`/openapi.json` and `/docs`: for everybody, cached, and without anything from elsewhere."""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode

import pytest

from service.web import routes
from service.web.openapi.document import document
from service.web.pages.routes import ROUTES as PAGE_ROUTES
from service.web.setup.routes import ROUTES as SETUP_ROUTES
from tests.support.database import TestDatabase
from tests.support.server import Server, Start, told


async def test_the_description_is_that_of_the_routes_that_are_served(shared: Server) -> None:
    status, described = await told(await shared.client.get("/openapi.json"))
    assert status == 200
    assert described == document(routes.families(with_metrics=True))
    served = {
        (route.method, route.resource.canonical)
        for route in shared.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    for_phones = {(route.method, route.path) for route in SETUP_ROUTES}
    for_browsers = {(route.method, route.path) for route in PAGE_ROUTES}
    described_calls = {(method.upper(), path) for path, methods in described["paths"].items() for method in methods}
    others = {(method, path) for method, path in for_phones | for_browsers if method != "HEAD"}
    assert served == described_calls | others
    assert {path.split("/")[1] for _, path in for_phones} == {"p"}


async def test_metrics_elsewhere_are_not_described_here(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(metrics_port=9))
    _, described = await told(await server.client.get("/openapi.json"))
    assert "/metrics" not in described["paths"]


@pytest.mark.parametrize("path", ["/openapi.json", "/docs", "/", "/favicon.ico"])
async def test_what_is_known_already_is_not_sent_again(shared: Server, path: str) -> None:
    first = await shared.client.get(path)
    again = await shared.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert (first.status, again.status, await again.read()) == (200, 304, b"")
    assert first.headers["Cache-Control"] == again.headers["Cache-Control"] == "no-cache"
    assert again.headers["ETag"] == first.headers["ETag"]


@pytest.mark.parametrize("path", ["/docs", "/"])
async def test_a_page_runs_only_its_own_script_and_fetches_nothing_from_elsewhere(shared: Server, path: str) -> None:
    answer = await shared.client.get(path)
    page, policy = await answer.text(), answer.headers["Content-Security-Policy"]
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    found = re.findall(r"<(script|style)>(.*?)</(?:script|style)>", page, re.DOTALL)
    assert [tag for tag, _ in found] == {"/docs": ["style", "script"], "/": ["style"]}[path]
    for _, text in found:
        assert f"'sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" in policy
    assert "://" not in page
    assert not re.search(r"\son\w+=|\sstyle=|<link(?! rel=\"icon\" href=\"favicon.ico\")|innerHTML|localStorage", page)


async def test_the_first_page_leads_to_what_is_there(shared: Server) -> None:
    page = await (await shared.client.get("/")).text()
    links = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert {"board", "phone", "docs", "openapi.json", "readyz", "livez"} <= set(links)
    for link in links:
        assert (await shared.client.get(f"/{link}")).status == 200, link


async def test_a_tag_among_kilobytes_of_others_is_not_looked_for(shared: Server) -> None:
    """It would take milliseconds, without a token."""
    tag = (await shared.raw("/docs")).headers["etag"]
    for others, status in ((10, 304), (2000, 200)):
        told = ", ".join([*[f'"{number}"' for number in range(others)], tag])
        assert (await shared.raw("/docs", f"If-None-Match: {told[-8000:].lstrip(', ')}")).status == status
