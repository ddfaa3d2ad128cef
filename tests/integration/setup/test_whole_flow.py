"""From a login to an account: over HTTP alone, as a client of the API and a browser without scripts do it."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse

from service.domain.phone_kinds import PHONE_KINDS, SetUp
from service.web.app_keys import PHONE_ACTIVITY
from tests.integration.setup.support import PUBLIC_URL, settings
from tests.support.database import TestDatabase
from tests.support.server import Server, Start

KINDS = {name: kind for name, kind in PHONE_KINDS.items() if kind.set_up is not None}
LABEL = "Ada's <mobile>"


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    return await start(settings(database))


async def created(server: Server, kind: str, headers: dict[str, str]) -> dict[str, Any]:
    given = {"kind": kind, "label": LABEL}
    answer = await server.client.post("/api/v1/phones", json=given, headers=headers)
    assert answer.status == 200, await answer.text()
    body: dict[str, Any] = await answer.json()
    return body


async def opened(server: Server, url: str, *, press: bool = False) -> ClientResponse:
    """A URL that the service told, opened behind its proxy."""
    assert url.startswith(PUBLIC_URL)
    ask = server.client.post if press else server.client.get
    return await ask(urlsplit(url).path, headers={"X-Forwarded-Proto": "https", "Accept-Language": "de"})


async def secret_of(database: TestDatabase, endpoint: str) -> str:
    rows = await database.rows("select secret from phones where endpoint = $1", endpoint)
    found: str = rows[0]["secret"]
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_a_person_sets_up_a_phone_of_each_kind(database: TestDatabase, server: Server, kind: str) -> None:
    headers = await server.login("dnhai", "demo-agent-password")
    made = await created(server, kind, headers)
    phone, setup = made["phone"], made["setup"]
    before = await secret_of(database, phone["endpoint"])
    page = await opened(server, setup["url"])
    text = await page.text()
    assert (page.status, page.headers["Content-Language"]) == (200, "de")
    assert "Ada&#x27;s &lt;mobile&gt;" in text
    assert before not in text
    if KINDS[kind].set_up is SetUp.FETCHES:
        assert setup["qr"] in text, "the page and the API show the same code"
        (url,) = re.findall(r'href="linphone-config:([^"]+)"', text)
        told = await opened(server, url)
        assert told.status == 200
        assert phone["endpoint"] in await told.text()
    else:
        assert setup["qr"] is None
        (action,) = re.findall(r'action="([^"]+)"', text)
        told = await opened(server, f"{setup['url'].rpartition('/')[0]}/{action}", press=True)
        shown = await told.text()
        assert told.status == 200
        assert await secret_of(database, phone["endpoint"]) in shown
        assert (await opened(server, setup["url"])).status == 404
        for url in re.findall(r"https://[^<\s]+/balance\.xml", shown):
            assert "<balanceString>" in await (await opened(server, url)).text()
    assert before != await secret_of(database, phone["endpoint"])
    await server.app[PHONE_ACTIVITY].flush()
    listed = await (await server.client.get("/api/v1/phones", headers=headers)).json()
    assert [each["id"] for each in listed["phones"] if each["lastFetchedAt"]] == [phone["id"]]


async def test_a_new_link_ends_the_page_of_the_one_before(server: Server) -> None:
    headers = await server.headers_of()
    made = await created(server, "desk", headers)
    path = f"/api/v1/phones/{made['phone']['id']}/setup"
    again = await (await server.client.post(path, headers=headers)).json()
    assert (await opened(server, made["setup"]["url"])).status == 404
    assert (await opened(server, again["setup"]["url"])).status == 200
