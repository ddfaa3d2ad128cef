"""A SIP password does not follow a token that came over http from another machine."""

from __future__ import annotations

import pytest

from service.web.app_keys import SETTINGS
from tests.integration.setup.support import add_phone, device_token, fetch, forgive, new_link, read, settings
from tests.support.database import TestDatabase
from tests.support.server import Start


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ((), 200),
        (("X-Forwarded-Proto: https",), 200),
        (("X-Forwarded-Proto: HTTPS",), 200),
        (("X-Forwarded-Proto: https, http",), 200),
        (("X-Forwarded-Proto: http",), 404),
        (("X-Forwarded-Proto: http, https",), 404),
        (("X-Forwarded-Proto: ,",), 200),
    ],
)
async def test_a_proxy_says_how_the_request_came(
    database: TestDatabase, start: Start, headers: tuple[str, ...], status: int
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))
    assert (await read(server, device, *headers)).status == status
    assert (await fetch(server, link, *headers)).status == status


async def test_from_another_machine_it_is_refused_unless_a_proxy_ends_tls(
    database: TestDatabase, start: Start, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))
    unknown = await fetch(server, "A" * 32)
    monkeypatch.setattr("service.web.setup.access.is_loopback", lambda peer: False)  # as from another machine
    assert (await read(server, device, "X-Forwarded-Proto: https")).status == 200
    for answer in (await read(server, device), await fetch(server, link)):
        assert (answer.status, answer.body) == (404, unknown.body)
    told = [(line["log_level"], line["event"]) for line in logged if line["event"] == "setup_over_http"]
    assert told == [("warning", "setup_over_http"), ("debug", "setup_over_http")]
    assert device not in str(logged)
    assert link not in str(logged)


async def test_a_trusted_proxy_need_not_say_it(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, server = await add_phone(database), await start(settings(database, trusted_proxies=["127.0.0.1"]))
    monkeypatch.setattr("service.web.setup.access.is_loopback", lambda peer: False)
    assert (await fetch(server, await new_link(server, phone))).status == 200


async def test_where_links_begin_with_http_they_are_for_this_machine(database: TestDatabase, start: Start) -> None:
    phone = await add_phone(database)
    server = await start(settings(database, public_url="http://127.0.0.1:8080"))
    answer = await fetch(server, await new_link(server, phone), "X-Forwarded-Proto: http")
    assert answer.status == 200
    assert b"http://127.0.0.1:8080/p/d/" in answer.body


async def test_no_page_of_another_origin_may_read_it(database: TestDatabase, start: Start) -> None:
    origin = "https://app.example.com"
    phone, server = await add_phone(database), await start(settings(database, cors_origins=[origin]))
    assert server.app[SETTINGS].cors_origins == [origin]
    link = await new_link(server, phone)
    preflight = ("Access-Control-Request-Method: GET", "Access-Control-Request-Headers: x-auth-token")
    found = [
        await fetch(server, link, f"Origin: {origin}"),
        await fetch(server, "A" * 32, f"Origin: {origin}"),
        await server.raw(f"/p/{link}/linphone.xml", f"Origin: {origin}", *preflight, method="OPTIONS"),
    ]
    forgive(server)
    assert [answer.status for answer in found] == [200, 404, 404]
    for answer in found:
        assert not [name for name in answer.headers if name.startswith("access-control")]
    assert "access-control-allow-origin" in (await server.raw("/livez", f"Origin: {origin}")).headers
