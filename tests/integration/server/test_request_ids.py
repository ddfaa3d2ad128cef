"""The id of a request: where it comes from, and that every line that belongs to it has it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.cutter import cutting
from tests.support.database import PASSWORD, SERVICE, TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import request
from tests.support.served import served
from tests.support.server import ADMIN, Server

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
TOKEN = [f"{name}: {value}" for name, value in ADMIN.items()]
JSON = "Content-Type: application/json"


@pytest.mark.parametrize("path", ["/livez", "/api/v1/presence/12342", "/user/1795"])
@pytest.mark.parametrize(
    "given",
    [
        PARENT,
        PARENT.upper(),
        f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        "x",
    ],
)
async def test_a_trace_gives_the_request_its_id_if_it_is_valid(shared: Server, path: str, given: str) -> None:
    answer = await shared.raw(path, *TOKEN, f"traceparent: {given}")
    assert (answer.headers["x-request-id"] == TRACE) is (given == PARENT)
    answer = await shared.raw(path, *TOKEN, f"traceparent: {given}", "X-Request-Id: mine")
    assert answer.headers["x-request-id"] == "mine"


async def test_every_line_that_belongs_to_a_request_has_its_id(database: TestDatabase, tmp_path: Path) -> None:
    """A change is logged by its handler, a refusal by another module, a lost database by the dispatcher."""
    body = json.dumps(
        {"name": "grace", "passwd": "a long enough password", "user_type": "agent", "email": "grace@example.com"}
    ).encode()
    async with cutting(database.server.port) as line:
        url = f"postgresql://{SERVICE}@127.0.0.1:{line.port}/{database.name}"
        async with served(database, tmp_path, DATABASE_URL=url) as service:
            await service.answers()
            answer = await service.ask(
                request("/user/create", *TOKEN, JSON, "X-Request-Id: creation", method="POST", body=body)
            )
            assert answer.status == 200, answer.body
            await service.get("/user/1795", f"X-Auth-Token: {'x' * 43}", f"traceparent: {PARENT}")
            line.refuse()
            line.cut()

            async def lost() -> bool:
                await service.get("/user/1795", *TOKEN, "X-Request-Id: reading")
                return '"service_unavailable"' in service.log and '"change_listener_down"' in service.log

            await eventually(lost)
            lines = [json.loads(each) for each in service.log.splitlines()]
    ids = {each["event"]: each.get("request_id") for each in lines}
    assert ids["user_created"] == "creation"
    assert ids["token_refused"] == TRACE
    assert ids["service_unavailable"] == "reading"
    assert ids["service_started"] is None
    assert ids["change_listener_down"] is None


async def test_a_line_about_ami_has_the_id_of_the_request_that_met_it(database: TestDatabase, tmp_path: Path) -> None:
    """A presence that no Asterisk takes: each request has its own line, the second at level debug."""
    settings = {"LOG_LEVEL": "debug", "CALL_SERVERS__MAIN__PRESENCE_SECRET": PASSWORD}
    async with served(database, tmp_path, **settings) as service:
        await service.answers()
        login = json.dumps({"user": "dnhai", "password": "demo-agent-password"}).encode()
        given = (await service.ask(request("/api/v1/login", JSON, method="POST", body=login))).json["data"]
        agent = [f"X-Auth-Token: {given['authToken']}", f"X-User-Id: {given['userId']}"]
        for turn in range(2):
            body = json.dumps({"presence": "away"}).encode()
            asked = request("/api/v1/presence", *agent, JSON, f"X-Request-Id: presence-{turn}", method="PUT", body=body)
            assert (await service.ask(asked)).status == 503
        lines = [json.loads(each) for each in service.log.splitlines()]
    assert ids_of(lines, "service_unavailable") == ["presence-0", "presence-1"]
    assert set(ids_of(lines, "presence_connection_down")) == {None}, "the loop's own attempts belong to no request"


def ids_of(lines: list[dict[str, Any]], event: str) -> list[str | None]:
    return [line.get("request_id") for line in lines if line["event"] == event]
