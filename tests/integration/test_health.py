"""`/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import re

import pytest

from tests.support.database import TestDatabase
from tests.support.server import ADMIN, REGISTRATION, Server, Start, told


async def test_a_process_that_runs_is_alive(shared: Server) -> None:
    assert await told(await shared.client.get("/livez")) == (200, {"status": "alive"})


async def test_without_asterisk_it_is_degraded_and_tells_which(shared: Server) -> None:
    status, body = await told(await shared.client.get("/readyz"))
    assert (status, body["status"], body["directory"]["freshness"]) == (200, "degraded", "live")
    assert body["directory"]["extensions"] == 2
    assert body["callServers"]["main"]["freshness"] in ("disconnected", "connecting")
    assert "since" in body["callServers"]["main"]


async def test_without_any_call_server_it_is_ready(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(call_servers={}))
    assert await told(await server.client.get("/readyz")) == (200, {"status": "ready"})


async def test_details_and_metrics_move_to_a_port_of_their_own(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(metrics_port=9))
    assert await told(await server.client.get("/readyz")) == (200, {"status": "degraded"})
    assert (await server.client.get("/metrics")).status == 404


async def test_metrics_count_answers_by_route_and_never_by_what_a_client_made_up(shared: Server) -> None:
    await shared.client.get(REGISTRATION, headers=ADMIN)
    await shared.client.get("/user/made-up-by-a-client", headers=ADMIN)
    await shared.client.get("/nothing/made-up-by-a-client")
    await shared.raw("//v1//user//made-up-by-a-client")
    answer = await shared.client.get("/metrics")
    text = await answer.text()
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert "made-up" not in text
    assert re.search(r'connector_requests_total\{method="GET",route="/v1/user/\{user_id\}",status="401"\} 1.0', text)
    assert f'route="{REGISTRATION}",status="400"' in text
    assert 'connector_link_freshness{call_server="main",freshness="live"} 0.0' in text


@pytest.mark.parametrize(
    ("path", "status"), [("/", 404), ("/favicon.ico", 404), ("/v1", 404), ("/api", 404), ("/api/v2", 404)]
)
async def test_what_belongs_to_no_family_is_not_found_in_json(shared: Server, path: str, status: int) -> None:
    assert await told(await shared.client.get(path)) == (status, {"success": False, "error": "Resource not found"})


async def test_another_method_on_health_is_a_405(shared: Server) -> None:
    answer = await shared.client.post("/livez")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
