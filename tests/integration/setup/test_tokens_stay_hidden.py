"""No token of a link or a device URL stands in a log, in metrics or in the audit trail: their paths are templates."""

from __future__ import annotations

import asyncio
import os
import re
from pathlib import Path

import pytest

from service.settings import Settings
from service.web.app_keys import SETTINGS
from tests.integration.setup.support import (
    ENDPOINT,
    PUBLIC_URL,
    add_phone,
    device_token,
    fetch,
    knows,
    new_link,
    read,
    settings,
)
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import request
from tests.support.served import Served, served
from tests.support.server import Start

LINK, DEVICE = "/p/{token}/linphone.xml", "/p/d/{deviceToken}/linphone.xml"


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_log_at_level_debug_holds_no_token_whatever_happens(
    database: TestDatabase, start: Start, tmp_path: Path, log_format: str
) -> None:
    """Right and wrong tokens, malformed HTTP around them, a client that is gone, PostgreSQL that refuses."""
    phone, maker = await add_phone(database), await start(settings(database))
    link = await new_link(maker, phone)
    async with served(database, tmp_path, PUBLIC_URL=PUBLIC_URL, LOG_LEVEL="debug", LOG_FORMAT=log_format) as service:
        await service.answers()
        answer = await service.get(f"/p/{link}/linphone.xml")
        device = device_token(answer)
        assert (await service.get(f"/p/d/{device}/linphone.xml", "X-Forwarded-Proto: http")).status == 404
        paths = (
            f"/p/{link}/linphone.xml",
            f"/p/d/{device}/linphone.xml",
            f"/p/{link}",
            f"/p/{link}/more",
            f"//p/{link}/x",
        )
        for path in paths:
            for method in ("GET", "POST", "OPTIONS", "BREW"):
                await _ask(service, request(path, f"Referer: {PUBLIC_URL}{path}", method=method))
            for line in (f"GET {path} HTTP/9.9", f"GET {path}", f"GET {path} HTTP/1.1\r\nBad Header {link}"):
                await _ask(service, f"{line}\r\n\r\n".encode())
            await _ask(service, f"GET {path}\x00 HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            _, writer = await asyncio.open_connection("127.0.0.1", service.port)
            writer.write(request(path))
            writer.transport.abort()
        newer = await new_link(maker, phone)
        await database.execute("revoke update on phone_setups, phones from connector_service")

        async def unavailable() -> bool:
            return (await service.get(f"/p/{newer}/linphone.xml")).status == 503

        await eventually(unavailable)
        metrics = await service.metrics()
        os.kill(service.process.pid, 15)
        assert await service.ended() == 0
        log = service.log
    assert "service_unavailable" in log
    assert f"/p/ ({LINK})" in log
    assert "setup_over_http" in log
    trail = [dict(row) for row in await database.rows("select audit.*, details::text from audit")]
    for text in (log, metrics, str(trail)):
        for token in (link, device, newer):
            assert token[:16] not in text
    assert f'route="{LINK}"' in metrics
    assert f'route="{DEVICE}"' in metrics
    routes = re.findall(r'route="(/p[^"]*)"', metrics)
    assert {route for route in routes if "{" not in route} == set()
    assert ENDPOINT in str(trail)


async def _ask(service: Served, data: bytes) -> None:
    answer = await service.ask(data)
    assert answer.status in (200, 400, 404, 429, 505), answer


async def test_a_bug_is_logged_with_the_route_in_place_of_the_path(
    database: TestDatabase, start: Start, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))

    def broken(*_: object) -> bytes:
        raise RuntimeError("a bug")

    monkeypatch.setattr("service.web.setup.linphone.linphone_xml", broken)
    for path in (f"/p/d/{device}/linphone.xml", f"/p/{link}/linphone.xml"):
        answer = await server.raw(path)
        assert (answer.status, answer.headers["cache-control"]) == (500, "no-store")
        assert answer.headers["referrer-policy"] == "no-referrer"
    told = [line["path"] for line in logged if line["event"] == "internal_error"]
    assert told == [f"/p/ ({DEVICE})", f"/p/ ({LINK})"]


async def test_a_call_server_that_is_not_configured_is_a_503_without_the_token(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))
    without: Settings = server.app[SETTINGS].model_copy(update={"call_servers": {}})
    other = await start(without)
    await knows(other, device)
    for answer in (await fetch(other, link), await read(other, device)):
        assert answer.status == 503
        assert int(answer.headers["retry-after"]) > 0
    told = [line["path"] for line in logged if line["event"] == "service_unavailable"]
    assert told == [f"/p/ ({LINK})", f"/p/ ({DEVICE})"]
    assert link not in str(logged)
    assert device not in str(logged)


async def test_a_token_of_ten_kilobytes_is_refused_as_everywhere_before_it_is_read(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    """The request line is longer than any that is parsed, so the path is not known."""
    server = await start(settings(database))
    told = [await server.raw(f"{path}{'A' * 10_000}") for path in ("/p/", "/p/d/", "/api/v1/")]
    assert {(answer.status, answer.body) for answer in told} == {(431, told[0].body)}
    assert "AAAA" not in str(logged)
