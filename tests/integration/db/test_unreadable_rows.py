"""Rows that this release cannot make sense of are left out, or shown as near as can be; all others are served."""

from __future__ import annotations

import pytest

from service.db import change_listener
from service.db.change_hints import Rows
from service.db.directory_loader import DirectoryLoader
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, Start


async def test_a_row_that_this_release_cannot_read_is_left_out_and_heals(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    server = await start(database.settings(requests_per_minute=1_000_000))
    headers = await server.headers_of()
    await server.answers(200, headers)
    await database.execute("alter table users drop constraint users_user_type_check")
    for _ in range(3):
        await database.execute("update users set user_type = 'supervisor' where user_id = 1795")
        await server.answers(503, headers)  # not a 401: the phone must not drop its session
        await database.execute("select pg_notify('connector_changes', 'user *')")
    assert (await server.client.get("/api/v1/me", headers=ADMIN)).status == 200
    assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200, "as it is stored, anybody can show it"
    login = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "demo-agent-password"})
    assert login.status == 503
    assert "connector_directory_left_out_rows 1.0" in await (await server.client.get("/metrics")).text()
    status = await (await server.client.get("/status/12342")).json()
    assert (status["reason"]["code"], status["extension"]["username"]) == ("user-unreadable", None)
    again = await start(database.settings(requests_per_minute=1_000_000))
    assert (await again.client.get("/api/v1/me", headers=ADMIN)).status == 200, "a start is no different"
    await database.execute("update users set user_type = 'agent' where user_id = 1795")
    await server.answers(200, headers)
    assert "connector_directory_left_out_rows 0.0" in await (await server.client.get("/metrics")).text()
    told = [line for line in logged if line["event"] == "directory_row_unreadable"]
    assert [(line["kind"], line["key"]) for line in told] == [("user", 1795), ("user", 1795)], "once by each process"


async def test_rows_that_an_unheard_change_repaired_are_read_again_soon(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`alter table` notifies nobody: neither of the damage nor of the repair."""
    monkeypatch.setattr(change_listener, "LEFT_OUT_RETRY_INTERVAL", 0.2)
    server = await start(database.settings(requests_per_minute=1_000_000))
    headers = await server.headers_of()
    await database.execute("alter table users alter email_verified drop default")
    await database.execute("alter table users alter email_verified type text using 'maybe'")
    await database.execute("select pg_notify('connector_changes', 'user *')")
    await server.answers(503, headers)
    ready = await (await server.client.get("/readyz")).json()
    assert (ready["status"], ready["directory"]["leftOut"]) == ("degraded", 5)
    await database.execute("alter table users alter email_verified type boolean using false")
    await server.answers(200, headers, within=8)


@pytest.mark.parametrize("number", ["1\r\nAction: Ping", "7 1", "7.1", "", "é", "7" * 5000])
async def test_an_extension_whose_number_asterisk_cannot_be_asked_for_is_left_out(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch, number: str
) -> None:
    """Also when it is read again and again."""
    monkeypatch.setattr(change_listener, "LEFT_OUT_RETRY_INTERVAL", 0.1)
    tries: list[DirectoryLoader] = []
    rows_left_out = DirectoryLoader.left_out_rows

    def counted(reader: DirectoryLoader) -> Rows:
        tries.append(reader)
        return rows_left_out(reader)

    monkeypatch.setattr(DirectoryLoader, "left_out_rows", counted)
    server = await start(database.settings(requests_per_minute=1_000_000))
    await database.execute("alter table extensions drop constraint extensions_extension_check")
    made = "insert into extensions (extension, call_server) values ($1, 'main')"
    await database.execute(made, number)

    async def left_out() -> bool:
        return "connector_directory_left_out_rows 1.0" in await (await server.client.get("/metrics")).text()

    await eventually(left_out)
    wanted = len(tries) + 3
    await eventually(lambda: len(tries) >= wanted, what="it is read again")
    assert await left_out()
    listed = await (await server.client.get("/api/v1/presence", headers=ADMIN)).json()
    assert [item["extension"] for item in listed["presence"]] == ["12342", "12343"]


@pytest.mark.parametrize("moment", ["4000-01-01 BC", "20000-01-01", "infinity", "-infinity"])
async def test_a_moment_that_no_program_can_hold_spoils_no_answer(
    database: TestDatabase, server: Server, moment: str
) -> None:
    dates = (
        "update users set create_time = $1::text::timestamptz, cdr_expire = $1::text::timestamptz where user_id = 1796"
    )
    await database.execute(dates, moment)
    seen = "insert into activity (user_id, last_login_time, login_ip, last_seen)"
    seen += " select 1796, at, '10.0.0.1', at from (select $1::text::timestamptz) as given (at)"
    await database.execute(seen, moment)
    login = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "demo-agent-password"})
    assert login.status == 200, "where people logged in from is read with the first login"
    late = moment in ("20000-01-01", "infinity")
    nearest = "9999-12-31T23:59:59.999999+00:00" if late else "0001-01-01T00:00:00.000000+00:00"
    for path in ("/user/1796", "/user/1795", "/user/list?order_by=last_seen"):
        answer = await server.client.get(path, headers=ADMIN)
        assert answer.status == 200, path
        if path == "/user/1796":
            payload = (await answer.json())["payload"]
            assert {payload[key] for key in ("create_time", "cdr_expire", "last_login_time", "last_seen")} == {nearest}
