"""`/livez`, `/readyz`, `/metrics`."""

from __future__ import annotations

import asyncio
import re
import socket
from pathlib import Path

import pytest

from service.db.migrate import migrate
from service.web.app_keys import CREDENTIAL_OWNERS
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.imported import both
from tests.support.raw import answer_on, request
from tests.support.served import served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start, told


async def test_a_process_that_runs_is_alive(shared: Server) -> None:
    assert await told(await shared.client.get("/livez")) == (200, {"status": "alive"})


async def test_without_asterisk_it_is_degraded_and_tells_which(shared: Server) -> None:
    status, body = await told(await shared.client.get("/readyz"))
    assert (status, body["status"], body["directory"]["freshness"]) == (200, "degraded", "live")
    assert body["directory"]["extensions"] == 2
    assert body["callServers"]["main"]["freshness"] in ("disconnected", "connecting")
    assert "since" in body["callServers"]["main"]


async def test_without_any_call_server_it_is_ready_if_there_is_no_extension(
    database: TestDatabase, start: Start
) -> None:
    await database.execute("delete from extensions")
    server = await start(database.settings(call_servers={}))
    assert await told(await server.client.get("/readyz")) == (200, {"status": "ready"})


async def test_details_and_metrics_move_to_a_port_of_their_own(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(metrics_port=9))
    assert await told(await server.client.get("/readyz")) == (200, {"status": "degraded"})
    assert (await server.client.get("/metrics")).status == 404


PROXIED = ["X-Forwarded-For: 203.0.113.9", "x-real-ip: 127.0.0.1", "Forwarded: for=127.0.0.1", "Via: 1.1 nginx",
           "X-Forwarded-For: 127.0.0.1", "X-Forwarded-For:", "X-Forwarded-Proto: https",
           "X-Forwarded-Host: example.com", "CF-Connecting-IP: 203.0.113.9"]  # fmt: skip


@pytest.mark.parametrize("header", PROXIED)
async def test_strangers_learn_whether_it_answers_and_not_why(shared: Server, header: str) -> None:
    """A proxy on this machine says that somebody else asks."""
    answer = await shared.raw("/readyz", header)
    assert (answer.status, answer.json) == (200, {"status": "degraded"})
    answer = await shared.raw("/metrics", header)
    assert (answer.status, answer.json) == (401, {"success": False, "error": "You must be logged in to do this."})


async def test_an_admins_token_opens_metrics_and_details_from_anywhere(shared: Server) -> None:
    agent = (await shared.headers_of())["X-Auth-Token"]
    tokens = {agent: 403, "x" * 43: 401, "short": 401, ADMIN["X-Auth-Token"]: 200}
    await shared.answers(200, {"X-Auth-Token": agent, "X-User-Id": AGENT_UID})
    for token, status in tokens.items():
        lines = (f"X-Auth-Token: {token}", PROXIED[0])
        assert (await shared.raw("/metrics", *lines)).status == status
        answer = await shared.raw("/readyz", *lines)
        assert (answer.status, "callServers" in answer.json) == (200, status == 200)


async def test_another_machine_is_a_stranger(database: TestDatabase, tmp_path: Path) -> None:
    """This machine by an address that others use too: the service sees that it is not the loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))  # sends nothing, and tells which address would be used
        address = one.getsockname()[0]
    async with served(database, tmp_path, HTTP_HOST="0.0.0.0", ALLOW_DEMO="true") as service:
        await service.answers()
        assert "callServers" in (await service.get("/readyz")).json
        reader, writer = await asyncio.open_connection(address, service.port)
        writer.write(request("/readyz") + request("/metrics"))
        assert (await answer_on(reader)).json == {"status": "degraded"}
        assert (await answer_on(reader)).status == 401
        writer.transport.abort()


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


@pytest.mark.parametrize(("path", "status"), [("/nothing", 404), ("/v1", 404), ("/api", 404), ("/api/v2", 404)])
async def test_what_belongs_to_no_family_is_not_found_in_json(shared: Server, path: str, status: int) -> None:
    assert await told(await shared.client.get(path)) == (status, {"success": False, "error": "Resource not found"})


async def test_another_method_on_health_is_a_405(shared: Server) -> None:
    answer = await shared.client.post("/livez")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_owners_of_endpoints_that_settings_and_database_name_otherwise_degrade_it_until_migrate_has_run(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    """With call servers that are away it is degraded anyway, so what tells is the details and the log."""
    await database.execute("insert into call_servers (name) values ('pbx')")
    settings = both(database)
    server = await start(settings)

    async def owners() -> dict[str, tuple[str, str]]:
        _, body = await told(await server.client.get("/readyz"))
        servers = body["callServers"].items()
        return {name: (each["credentials"], each["credentialsInDatabase"]) for name, each in servers}

    assert await owners() == {"main": ("managed", "managed"), "pbx": ("imported", "managed")}
    assert server.app[CREDENTIAL_OWNERS].differing == {"pbx": "managed"}
    await migrate(settings)

    async def agree() -> bool:
        return await owners() == {"main": ("managed", "managed"), "pbx": ("imported", "imported")}

    await eventually(agree, what="the database was read again")
    assert [line["event"] for line in logged if str(line["event"]).startswith("credential_owners")] == [
        "credential_owners_differ",
        "credential_owners_agree",
    ]
