"""Login, logout, me, and the two `auth` paths of the user family."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import bcrypt
import pytest

from service.cli.demo import ADMIN_TOKEN
from service.runtime.app import run_app
from service.web.app_keys import HASHER
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, Server, Start, told

PASSWORD = "demo-agent-password"
UNAUTHORIZED = b'{"status":"error","error":"Unauthorized","message":"Unauthorized"}'
NOT_LOGGED_IN = (
    b'{"status":"error","message":"You must be logged in to do this.","success":false,'
    b'"error":"You must be logged in to do this."}'
)
ME = {
    "_id": AGENT_UID,
    "name": "string",
    "username": "dnhai",
    "emails": [{"address": "dnhai@example.com", "verified": True}],
    "active": True,
    "roles": ["agent"],
    "extension": "12342",
}


async def posted(server: Server, given: Any, path: str = "/api/v1/login") -> tuple[int, Any]:
    return await told(await server.client.post(path, json=given))


@pytest.mark.parametrize(
    "who",
    [{"user": "dnhai"}, {"user": "DNHAI"}, {"username": "dnhai"}, {"user": "dnhai@example.com"},
     {"email": "DNhai@Example.com"}],
)  # fmt: skip
async def test_login_by_name_or_e_mail_in_any_case(shared: Server, who: dict[str, str]) -> None:
    status, body = await posted(shared, {**who, "password": PASSWORD})
    assert (status, list(body), list(body["data"])) == (200, ["status", "data"], ["userId", "authToken", "me"])
    assert (body["status"], body["data"]["userId"], body["data"]["me"]) == ("success", AGENT_UID, ME)
    assert list(body["data"]["me"]) == list(ME)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", body["data"]["authToken"])


async def test_login_by_form(shared: Server) -> None:
    answer = await shared.client.post("/api/v1/login", data={"user": "dnhai", "password": PASSWORD})
    status, body = await told(answer)
    assert (status, body["data"]["userId"]) == (200, AGENT_UID)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_resume_echoes_the_token_and_does_not_extend_it(database: TestDatabase, server: Server) -> None:
    before = await database.rows("select token_hash, expires_at from tokens")
    status, body = await posted(server, {"resume": ADMIN_TOKEN})
    assert (status, body["data"]["authToken"], body["data"]["userId"]) == (200, ADMIN_TOKEN, ADMIN_UID)
    assert await database.rows("select token_hash, expires_at from tokens") == before


async def test_a_token_lives_90_days_and_only_its_hash_is_stored(database: TestDatabase, server: Server) -> None:
    headers = await server.login("dnhai", PASSWORD)
    rows = await database.rows("select token_hash, expires_at, created_at from tokens where user_id = 1795")
    assert len(rows) == 1
    assert headers["X-Auth-Token"].encode() not in rows[0]["token_hash"]
    assert abs(rows[0]["expires_at"] - rows[0]["created_at"] - timedelta(days=90)) < timedelta(minutes=1)


WRONG = [
    {"user": "dnhai", "password": "wrong"},
    {"user": "dnhai", "password": ""},
    {"user": "dnhai", "password": PASSWORD + "\0"},
    {"user": "dnhai", "password": "\ud800"},
    {"user": "dnhai", "password": "x" * 73},
    {"user": "dnhai", "password": "é" * 40},
    {"user": "nobody", "password": PASSWORD},
    {"user": "inactive", "password": "demo-inactive-password"},
    {"user": "dnhai\0", "password": PASSWORD},
    {"user": "dnhai\ud800", "password": PASSWORD},
    {"user": "dnhai' --", "password": PASSWORD},
    {"user": "x" * 8_000, "password": PASSWORD},
    {"resume": "x" * 43},
    {"resume": "\ud800" * 43},
    {"resume": ""},
]


@pytest.mark.parametrize("given", WRONG, ids=range(len(WRONG)))
async def test_everything_wrong_is_the_same_answer(server: Server, given: dict[str, str]) -> None:
    answer = await server.client.post("/api/v1/login", json=given)
    assert (answer.status, await answer.read()) == (401, UNAUTHORIZED)


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ({}, "Expected one of user, username, email as string"),
        ({"user": "dnhai"}, "Missing key 'password'"),
        ({"user": "dnhai", "password": 1}, "Expected string in field password"),
        ({"user": 1, "password": "x"}, "Expected one of user, username, email as string"),
        ({"user": "a", "email": "b@c", "password": "x"}, "Expected one of user, username, email as string"),
        ({"resume": 1}, "Expected one of user, username, email as string"),
        ([], "Expected object, got array"),
    ],
)
async def test_a_login_that_asks_for_nothing_is_a_400(shared: Server, given: Any, what: str) -> None:
    assert await posted(shared, given) == (400, {"success": False, "error": f"Match error: {what}"})


async def test_a_password_of_more_than_72_bytes_is_not_cut(database: TestDatabase, server: Server) -> None:
    """bcrypt itself would take the first 72 bytes for the whole."""
    hashed = bcrypt.hashpw(b"x" * 72, bcrypt.gensalt(4)).decode()
    await database.execute("update users set passwd = $1 where name = 'agent2'", hashed)
    assert (await posted(server, {"user": "agent2", "password": "x" * 72}))[0] == 200
    assert (await posted(server, {"user": "agent2", "password": "x" * 73}))[0] == 401


async def test_passwords_are_hashed_with_twelve_rounds(database: TestDatabase) -> None:
    """Every other test may have fewer."""
    async with run_app(database.settings()) as (app, _):
        assert (await app[HASHER].hash("a password")).startswith("$2b$12$")


async def test_an_unknown_name_takes_as_long_as_a_wrong_password(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(), hash_rounds=12)

    async def seconds(name: str) -> float:
        began = time.perf_counter()
        assert (await posted(server, {"user": name, "password": "wrong"}))[0] == 401
        return time.perf_counter() - began

    known, unknown = [], []
    for number in range(5):  # in turns: a busy moment of the machine slows both
        known.append(await seconds("dnhai"))
        unknown.append(await seconds(f"nobody{number}"))
    assert 1 / 3 < min(unknown) / min(known) < 3


async def test_logout_ends_the_presented_token_only(shared: Server) -> None:
    one, other = await shared.headers_of(), await shared.headers_of()
    for method, headers in (("POST", one), ("GET", other)):
        answer = await shared.client.request(method, "/api/v1/logout", headers=headers)
        expected = b'{"status":"success","data":{"message":"You\'ve been logged out!"}}'
        assert (answer.status, await answer.read()) == (200, expected)
        again = await shared.client.request(method, "/api/v1/logout", headers=headers)
        assert (again.status, await again.read()) == (401, NOT_LOGGED_IN)
        if headers is one:
            assert (await shared.client.get("/api/v1/me", headers=other)).status == 200


async def test_me_is_the_logins_me_with_success(shared: Server) -> None:
    status, body = await told(await shared.client.get("/api/v1/me", headers=await shared.headers_of()))
    assert (status, body) == (200, {**ME, "success": True})
    assert list(body)[-1] == "success"


async def test_me_of_somebody_without_phone_and_e_mail_leaves_them_out(database: TestDatabase, server: Server) -> None:
    await database.execute("update users set email = null where name = 'nophone'")
    uid = "hT5rLwQ8vKz2fYj6N"
    _, body = await told(await server.client.get("/api/v1/me", headers=await server.headers_of(1797, uid)))
    assert (body["emails"], body["roles"], "extension" in body) == ([], ["client"], False)


@pytest.mark.parametrize("path", ["/api/v1/me", "/api/v1/logout"])
async def test_whoever_is_not_logged_in_has_no_me_and_no_logout(shared: Server, path: str) -> None:
    answer = await shared.client.get(path, headers={**ADMIN, "X-User-Id": AGENT_UID})
    assert (answer.status, await answer.read()) == (401, NOT_LOGGED_IN)


@pytest.mark.parametrize("path", ["/auth", "/v1/auth"])
async def test_auth_gives_an_admin_a_token_that_ends_when_asked_to(shared: Server, path: str) -> None:
    given = {"email_or_name": "Admin@example.com", "password": "demo-admin-password", "expire_after_minutes": 5}
    status, body = await posted(shared, given, path)
    assert (status, list(body), list(body["payload"])) == (
        200,
        ["success", "payload"],
        ["token", "expired", "user_type"],
    )
    assert (body["success"], body["payload"]["user_type"]) == (True, "admin")
    expired = body["payload"]["expired"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", expired)
    left = datetime.fromisoformat(expired) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    answer = await shared.client.get("/user/1795", headers={"X-Auth-Token": body["payload"]["token"]})
    assert answer.status == 200


async def test_a_refused_auth_is_an_operation_error_without_a_code(server: Server) -> None:
    for name in ("admin", "nobody", "inactive"):
        status, body = await posted(server, {"email_or_name": name, "password": "wrong"}, "/auth")
        assert (status, list(body)) == (401, ["error_type", "success", "error"])
        assert (body["error_type"], body["success"]) == ("operation_error", False)
        assert body["error"] == {
            "message": "Incorrect name, e-mail or password",
            "reason": "authentication_failed",
        }


@pytest.mark.parametrize("minutes", [0, -1, 1.5, "5", True, [], 10**30, 90 * 24 * 60 + 1])
async def test_a_lifetime_that_is_none_is_a_validation_error(shared: Server, minutes: Any) -> None:
    given = {"email_or_name": "admin", "password": "x", "expire_after_minutes": minutes}
    status, body = await posted(shared, given, "/auth")
    assert (status, body["error_type"], len(body["errors"])) == (400, "validation_error", 1)


@pytest.mark.parametrize("given", [{}, {"email_or_name": "admin"}, {"email_or_name": 1, "password": "x"}])
async def test_auth_without_its_arguments_is_a_validation_error(shared: Server, given: Any) -> None:
    status, body = await posted(shared, given, "/v1/auth")
    assert (status, body["error_type"], body["success"]) == (400, "validation_error", False)
