"""`POST /user/create`, `PATCH` and `DELETE /user/{user_id}`: who is there then, who may, whose logins end."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.integration.users.test_get import FIELDS
from tests.support.database import TestDatabase
from tests.support.server import Server, Start
from tests.support.user_calls import NEW, TOKEN, asked, made, refused


async def test_a_new_user_is_shown_whole_and_is_known_everywhere_at_once(server: Server) -> None:
    began = datetime.now(UTC)
    shown = await made(server, email="New@Example.com", fullname="New Comer")
    assert list(shown) == FIELDS
    assert began <= datetime.fromisoformat(shown["create_time"]) <= datetime.now(UTC)
    assert (shown["create_user_id"], shown["active"], shown["user_type"]) == (1, True, "agent")
    assert (shown["last_seen"], shown["is_online"], shown["report_count"]) == (None, 2, "1 Hour")
    assert shown["passwd"].startswith("$2b$")
    _, body = await asked(server, "GET", f"/user/{shown['user_id']}")
    assert body["payload"] == shown
    for name in ("NEWCOMER", "new@example.COM"):
        headers = await server.login(name, NEW["passwd"])
        me = await (await server.client.get("/api/v1/me", headers=headers)).json()
        assert (me["username"], me["name"], me["roles"]) == ("newcomer", "New Comer", ["agent"])


async def test_the_original_s_own_client_edits_a_user(database: TestDatabase, server: Server) -> None:
    """It takes the whole user, empties `passwd`, adds fields of its own, and sends everything back."""
    before = dict((await database.rows("select * from users where user_id = 1795"))[0])
    _, body = await asked(server, "GET", "/v1/user/1795")
    edited = {**body["payload"], "passwd": "", "fullname": "Edited", "landing_page_option": [{"id": 1}], "roles": "x"}
    status, body = await asked(server, "PATCH", "/v1/user/1795", edited)
    assert (status, body["success"], body["payload"]["fullname"]) == (200, True, "Edited")
    after = dict((await database.rows("select * from users where user_id = 1795"))[0])
    assert after == {**before, "fullname": "Edited"}


async def test_an_empty_change_changes_nothing(database: TestDatabase, server: Server) -> None:
    before = await database.rows("select * from users order by user_id")
    assert (await asked(server, "PATCH", "/user/1795", {}))[0] == 200
    assert (await server.client.patch("/user/1795", headers=TOKEN)).status == 200
    assert await database.rows("select * from users order by user_id") == before


@pytest.mark.parametrize("mask", [False, True])
async def test_a_password_that_is_empty_or_the_hash_that_was_shown_is_unchanged(
    database: TestDatabase, start: Start, mask: bool
) -> None:
    server = await start(database.settings(mask_passwd=mask))
    headers = await server.headers_of()
    _, body = await asked(server, "GET", "/user/1795")
    for passwd in (body["payload"]["passwd"], ""):
        status, body = await asked(server, "PATCH", "/user/1795", {"passwd": passwd})
        assert (status, body["payload"]["passwd"] == "") == (200, mask)
    assert (await server.client.get("/api/v1/me", headers=headers)).status == 200
    await server.login("dnhai", "demo-agent-password")


async def test_an_outdated_hash_does_not_become_the_password(server: Server) -> None:
    """Somebody else set a password while the form was open."""
    _, body = await asked(server, "GET", "/user/1795")
    await asked(server, "PATCH", "/user/1795", {"passwd": "a new one"})
    errors = await refused(server, "PATCH", "/user/1795", {"passwd": body["payload"]["passwd"], "fullname": "x"})
    assert list(errors) == ["passwd"]
    _, body = await asked(server, "GET", "/user/1795")
    assert body["payload"]["fullname"] is None
    await server.login("dnhai", "a new one")


async def test_a_new_password_ends_the_tokens_that_the_old_one_opened(server: Server) -> None:
    old, others = await server.login("dnhai", "demo-agent-password"), await server.headers_of(1796, "Sq7mWdXk3nPzT9cRb")
    assert (await asked(server, "PATCH", "/user/1795", {"passwd": "ünïcödé 密码"}))[0] == 200
    await server.answers(401, old)
    assert (await server.client.get("/api/v1/me", headers=others)).status == 200
    tried = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "demo-agent-password"})
    assert tried.status == 401
    await server.login("dnhai", "ünïcödé 密码")


async def test_a_deleted_user_is_gone_everywhere(database: TestDatabase, server: Server) -> None:
    user_id = (await made(server))["user_id"]
    headers = await server.login("newcomer", NEW["passwd"])
    await database.execute("update extensions set user_id = $1 where extension = '12343'", user_id)
    assert await asked(server, "DELETE", f"/v1/user/{user_id}") == (200, {"success": True})
    assert (await server.client.get("/api/v1/me", headers=headers)).status == 401
    gone = (404, {"error_type": "Object not found", "success": False})
    for method, given in (
        ("GET", None),
        ("PATCH", {"fullname": "x"}),
        ("PATCH", {"passwd": "a password"}),
        ("DELETE", None),
    ):
        assert await asked(server, method, f"/user/{user_id}", given) == gone
    assert await database.rows("select from tokens where user_id = $1", user_id) == []
    rows = await database.rows("select user_id, secret from extensions where extension = '12343'")
    assert (rows[0]["user_id"], rows[0]["secret"] == SIP_PASSWORD) == (None, False)
    assert (await made(server))["user_id"] != user_id


async def test_whom_somebody_made_stays_when_they_go(server: Server) -> None:
    boss = await made(server, name="boss", user_type="admin")
    headers = await server.login("boss", NEW["passwd"])
    answer = await server.client.post("/user/create", json=NEW, headers=headers)
    made_by_boss = (await answer.json())["payload"]
    assert made_by_boss["create_user_id"] == boss["user_id"]
    assert (await asked(server, "DELETE", f"/user/{boss['user_id']}"))[0] == 200
    _, body = await asked(server, "GET", f"/user/{made_by_boss['user_id']}")
    assert body["payload"]["create_user_id"] is None


@pytest.mark.parametrize("user_id", ["99", "nobody", "9223372036854775808", "01795", "-1", "1795%20", "1e3"])
async def test_what_is_no_users_number_is_not_found(shared: Server, user_id: str) -> None:
    for method, given in (("PATCH", b'{"passwd":"a password","active":false}'), ("DELETE", b"")):
        headers = (f"X-Auth-Token: {TOKEN['X-Auth-Token']}", "Content-Type: application/json")
        answer = await shared.raw(f"/user/{user_id}", *headers, method=method, body=given)
        assert (answer.status, answer.json) == (404, {"error_type": "Object not found", "success": False})


async def test_only_an_admin_may_change_anybody_and_that_is_decided_first(shared: Server) -> None:
    for method, path in (("POST", "/user/create"), ("PATCH", "/user/1795"), ("DELETE", "/user/1795")):
        nobody = await shared.client.request(method, path, data=b"{")
        assert (nobody.status, (await nobody.json())["error"]["code"]) == (401, 110)
        agent = await shared.client.request(method, path, data=b"{", headers=await shared.headers_of())
        assert (agent.status, (await agent.json())["error"]["reason"]) == (403, "admin_required")
    assert (await asked(shared, "GET", "/user/1795"))[0] == 200


async def test_a_changed_role_is_another_role_at_once(server: Server) -> None:
    headers = await server.headers_of()
    assert (await server.client.get("/user/1", headers=headers)).status == 403
    await asked(server, "PATCH", "/user/1795", {"user_type": "admin"})
    assert (await server.client.get("/user/1", headers=headers)).status == 200
    await asked(server, "PATCH", "/user/1795", {"user_type": "client"})
    assert (await server.client.get("/user/1", headers=headers)).status == 403


async def test_passwords_are_in_no_log_and_in_no_error(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "very-secret-password"
    await made(server, passwd=secret)
    await asked(server, "PATCH", "/user/1795", {"passwd": secret})
    for given in (NEW | {"passwd": secret}, NEW | {"name": "x@", "passwd": secret}, NEW | {"passwd": secret * 4}):
        assert secret not in json.dumps(await refused(server, "POST", "/user/create", given))
    printed = "".join(capsys.readouterr())
    assert "user_updated" in printed
    assert secret not in printed
