"""`POST /user/create`, `PATCH` and `DELETE /user/{user_id}`: what is stored, what is refused, who made whom."""

from __future__ import annotations

import json
import unicodedata
from datetime import UTC, datetime
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from service.keys import HASHER
from tests.integration.test_users import FIELDS
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, Server, Start, told

TOKEN = {"X-Auth-Token": ADMIN["X-Auth-Token"]}
NEW = {"name": "newcomer", "passwd": "a password", "user_type": "agent"}
OBSERVED = ("user_id", "last_login_time", "login_ip", "create_user_id", "create_time", "last_seen", "is_online")
EVERY_FIELD: dict[str, Any] = {
    "user_type": "client",
    "active": False,
    "carrier_name": "Carrier",
    "default_mod": "a",
    "reseller_id": 2,
    "outbound_report": True,
    "client_limits": [{"limit": 1.5, "of": ["ü", None, True]}],
    "last_name": "Last",
    "role_id": 3,
    "all_termination": True,
    "report_fields": "b",
    "client": {"name": "c", "deep": {"er": [1, 10**30]}},
    "report_count": "2 Hours",
    "name": "every.field",
    "first_name": "First",
    "cdr_expire": "2030-01-02T03:04:05.678901+00:00",
    "is_preload": True,
    "landing_page": "d",
    "default_mod2": "e",
    "avatar_id": 2**63 - 1,
    "agent": [1, "two"],
    "report_group": True,
    "auth_ip": ["192.0.2.1", "10.0.0.0/8", "2001:db8::/32"],
    "default_billing_decimal": 6,
    "card_id": -(2**63),
    "email": "every.field@example.com",
    "role_name": "f",
    "client_id": 5,
    "fullname": "Full 'Name' \"quoted\" \\ %_",
    "cdr_api_token": "g",
    "show_carrier_trunk_drop_only": True,
}


@pytest.fixture(autouse=True)
def quick(request: pytest.FixtureRequest) -> None:
    """These tests are about what becomes of people, not about how slowly their passwords are hashed."""
    for name in ("server", "shared"):
        if name in request.fixturenames:
            request.getfixturevalue(name).app[HASHER]._rounds = 4


async def asked(server: Server, method: str, path: str, given: Any = None) -> tuple[int, Any]:
    answer = await server.client.request(method, path, json=given, headers=TOKEN)
    assert answer.headers["Cache-Control"] == "no-store"
    return await told(answer)


async def made(server: Server, **values: Any) -> dict[str, Any]:
    status, body = await asked(server, "POST", "/user/create", NEW | values)
    assert (status, list(body), body["success"]) == (200, ["success", "payload"], True), body
    payload: dict[str, Any] = body["payload"]
    return payload


async def refused(server: Server, method: str, path: str, given: Any) -> dict[str, list[str]]:
    status, body = await asked(server, method, path, given)
    assert (status, body["error_type"], body["success"]) == (400, "validation_error", False), body
    assert list(body) == ["error_type", "success", "error", "errors"]
    errors: dict[str, list[str]] = body["errors"]
    return errors


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


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_every_field_that_is_not_observed_is_stored_as_it_was_given(server: Server, method: str) -> None:
    assert set(EVERY_FIELD) | set(OBSERVED) | {"passwd"} == set(FIELDS)
    if method == "POST":
        shown = await made(server, **EVERY_FIELD)
    else:
        user_id = (await made(server))["user_id"]
        _, body = await asked(server, "PATCH", f"/v1/user/{user_id}", EVERY_FIELD)
        shown = body["payload"]
    assert {name: shown[name] for name in EVERY_FIELD} == EVERY_FIELD
    nulls = {name: None for name, value in shown.items() if name not in OBSERVED and name in NULLABLE}
    status, body = await asked(server, "PATCH", f"/user/{shown['user_id']}", nulls)
    assert status == 200
    assert {name: body["payload"][name] for name in nulls} == nulls
    kept = EVERY_FIELD.keys() - nulls.keys()
    assert {name: body["payload"][name] for name in kept} == {name: EVERY_FIELD[name] for name in kept}


NULLABLE = {
    "carrier_name", "reseller_id", "last_name", "role_id", "client", "first_name", "cdr_expire", "avatar_id", "agent",
    "email", "client_id", "fullname", "cdr_api_token",
}  # fmt: skip


async def test_what_the_service_observes_and_what_it_does_not_know_is_ignored(server: Server) -> None:
    lies = dict.fromkeys(OBSERVED, "a lie") | {"uid": "x", "landing_page_option": {}, "roles": "admin", "role": ""}
    shown = await made(server, **lies)
    status, body = await asked(server, "PATCH", f"/user/{shown['user_id']}", lies)
    assert (status, body["payload"]) == (200, shown)


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
    await asked(server, "PATCH", "/user/1795", {"passwd": "new one"})
    errors = await refused(server, "PATCH", "/user/1795", {"passwd": body["payload"]["passwd"], "fullname": "x"})
    assert list(errors) == ["passwd"]
    _, body = await asked(server, "GET", "/user/1795")
    assert body["payload"]["fullname"] is None
    await server.login("dnhai", "new one")


async def test_a_new_password_ends_the_tokens_that_the_old_one_opened(server: Server) -> None:
    old, others = await server.login("dnhai", "demo-agent-password"), await server.headers_of(1796, "Sq7mWdXk3nPzT9cRb")
    assert (await asked(server, "PATCH", "/user/1795", {"passwd": "ünïcödé 密码"}))[0] == 200
    await server.answers(401, old)
    assert (await server.client.get("/api/v1/me", headers=others)).status == 200
    tried = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "demo-agent-password"})
    assert tried.status == 401
    await server.login("dnhai", "ünïcödé 密码")


WRONG: list[tuple[str, Any]] = [
    ("name", ""),
    ("name", " "),
    ("name", "x" * 201),
    ("name", "a@b"),
    ("name", "a\nb"),
    ("name", "a\u0000b"),
    ("name", "a\u009fb"),
    ("name", "a\u2028b"),
    ("name", "\ud800"),
    ("name", " padded"),
    ("name", None),
    ("name", 7),
    ("name", ["x"]),
    ("passwd", "x" * 73),
    ("passwd", "ü" * 37),
    ("passwd", "a\u0000b"),
    ("passwd", "\udfff"),
    ("passwd", None),
    ("passwd", 7),
    ("user_type", "root"),
    ("user_type", "Admin"),
    ("user_type", None),
    ("active", "true"),
    ("active", 1),
    ("active", None),
    ("email", "nobody"),
    ("email", "a@b@c"),
    ("email", "@b"),
    ("email", "a@"),
    ("email", "a b@c"),
    ("email", "a\r\nb@c"),
    ("email", "x" * 320 + "@b"),
    ("email", 7),
    ("auth_ip", "192.0.2.1"),
    ("auth_ip", ["192.0.2.1", "nonsense"]),
    ("auth_ip", ["192.0.2.1/24"]),
    ("auth_ip", [""]),
    ("auth_ip", [1]),
    ("auth_ip", None),
    ("auth_ip", ["192.0.2.1"] * 101),
    ("fullname", 7),
    ("fullname", "a\u0000b"),
    ("default_mod", None),
    ("reseller_id", 2**63),
    ("reseller_id", -(2**63) - 1),
    ("reseller_id", 1.5),
    ("reseller_id", "1"),
    ("card_id", None),
    ("default_billing_decimal", 2**31),
    ("client_limits", {}),
    ("client_limits", None),
    ("client_limits", ["a\u0000b"]),
    ("client", {"\ud800": 1}),
    ("agent", [[["\u0000"]]]),
    ("cdr_expire", "tomorrow"),
    ("cdr_expire", "2030-01-02T03:04:05"),
    ("cdr_expire", "0001-01-01T00:00:00+14:00"),
    ("cdr_expire", 1),
    ("outbound_report", "yes"),
]


@pytest.mark.parametrize("method", ["POST", "PATCH"])
async def test_a_wrong_field_is_refused_by_its_name_and_nothing_is_stored(
    database: TestDatabase, server: Server, method: str
) -> None:
    before = await database.rows("select * from users order by user_id")
    for field, value in WRONG:
        path, given = ("/user/create", NEW | {field: value}) if method == "POST" else ("/user/1795", {field: value})
        errors = await refused(server, method, path, given)
        assert list(errors) == [field], (field, value, errors)
        assert len(errors[field]) == 1
        assert errors[field][0]
    assert await database.rows("select * from users order by user_id") == before


async def test_all_wrong_fields_are_told_at_once(shared: Server) -> None:
    given = {"name": "a@b", "email": 1, "auth_ip": ["x"], "active": "no", "reseller_id": "1", "user_type": "root"}
    assert set(await refused(shared, "POST", "/user/create", given)) == {*given, "passwd"}
    assert set(await refused(shared, "PATCH", "/user/1795", given)) == set(given)
    assert await refused(shared, "POST", "/user/create", {}) == {
        name: ["is required"] for name in ("name", "passwd", "user_type")
    }
    assert set(await refused(shared, "POST", "/user/create", NEW | {"passwd": ""})) == {"passwd"}
    assert set(await refused(shared, "POST", "/user/create", NEW | {"passwd": "$2b$12$" + "x" * 53})) == {"passwd"}


@pytest.mark.parametrize(
    "raw", [b"{", b"[]", b'"x"', b"null", b'{"name":"a","name":"b"}', b'{"card_id":1e999', b"\xff", b'{"card_id":NaN}']
)
async def test_a_body_that_is_no_object_is_refused(shared: Server, raw: bytes) -> None:
    for method, path in (("POST", "/user/create"), ("PATCH", "/v1/user/1795")):
        headers = {**TOKEN, "Content-Type": "application/json"}
        status, body = await told(await shared.client.request(method, path, data=raw, headers=headers))
        assert (status, body["error_type"], list(body["errors"])) == (400, "validation_error", ["body"])
        form = await shared.client.request(method, path, data={"name": "x"}, headers=TOKEN)
        assert form.status == 415


async def test_a_whole_number_is_one_however_it_is_written(server: Server) -> None:
    headers = {**TOKEN, "Content-Type": "application/json"}
    given = b'{"reseller_id":7.0,"card_id":1e3,"client":[7.0]}'
    shown = (await (await server.client.patch("/user/1795", data=given, headers=headers)).json())["payload"]
    assert (shown["reseller_id"], shown["card_id"], repr(shown["client"])) == (7, 1000, "[7.0]")


async def test_a_number_that_is_beyond_all_bounds_is_refused(shared: Server) -> None:
    headers = {**TOKEN, "Content-Type": "application/json"}
    answer = await shared.client.patch("/user/1795", data=b'{"client":{"a":[1e999]}}', headers=headers)
    assert (answer.status, list((await answer.json())["errors"])) == (400, ["client"])


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ({"name": "DNhai"}, {"name"}),
        ({"email": "DNHAI@Example.COM"}, {"email"}),
        ({"name": "AGENT2", "email": "dnhai@example.com"}, {"name", "email"}),
    ],
)
async def test_a_name_and_an_e_mail_are_one_user_s_without_regard_to_case(
    server: Server, given: dict[str, str], taken: set[str]
) -> None:
    assert await refused(server, "POST", "/user/create", NEW | given) == {name: ["is another user's"] for name in taken}
    user_id = (await made(server))["user_id"]
    assert set(await refused(server, "PATCH", f"/user/{user_id}", given)) == taken
    assert (await asked(server, "PATCH", "/user/1795", {"name": "DNHAI", "email": "dnhai@EXAMPLE.com"}))[0] == 200


async def test_names_of_all_scripts_log_in(server: Server) -> None:
    names = [
        "O'Brien", '"quoted"', "back\\slash", "Robert'); drop table users;--", "Zoë", "ΣΊΣΥΦΟΣ", "محمد علي", "דוד",
        "👩‍👩‍👧‍👦 family", "山田 太郎", "%_like_%", "<b>bold</b>", "नमस्ते", "x" * 200, "ÇELEBİ",
    ]  # fmt: skip
    for name in names:
        shown = await made(server, name=name)
        assert shown["name"] == name
        for spelled in (name, unicodedata.normalize("NFD", name)):
            await server.login(spelled, NEW["passwd"])


async def test_what_looks_the_same_is_the_same_name(server: Server) -> None:
    shown = await made(server, name=unicodedata.normalize("NFD", "José"), email="josé@example.com")
    assert shown["name"] == unicodedata.normalize("NFC", "José")
    same = {"name": "JOSÉ", "email": unicodedata.normalize("NFD", "JOSÉ@example.com")}
    assert set(await refused(server, "POST", "/user/create", NEW | same)) == {"name", "email"}


async def test_another_e_mail_is_not_verified(server: Server) -> None:
    headers = await server.headers_of()
    for email, verified in (("dnhai@example.com", True), ("new@example.com", False), ("dnhai@example.com", False)):
        await asked(server, "PATCH", "/user/1795", {"email": email})
        me = await (await server.client.get("/api/v1/me", headers=headers)).json()
        assert me["emails"] == [{"address": email, "verified": verified}]


async def test_an_empty_e_mail_is_none_and_many_have_none(server: Server) -> None:
    for name in ("one", "two"):
        assert (await made(server, name=name, email=""))["email"] is None


async def test_a_deleted_user_is_gone_everywhere(database: TestDatabase, server: Server) -> None:
    user_id = (await made(server))["user_id"]
    headers = await server.login("newcomer", NEW["passwd"])
    await database.execute("update extensions set user_id = $1 where extension = '12343'", user_id)
    assert await asked(server, "DELETE", f"/v1/user/{user_id}") == (200, {"success": True})
    assert (await server.client.get("/api/v1/me", headers=headers)).status == 401
    gone = (404, {"error_type": "Object not found", "success": False})
    for method, given in (("GET", None), ("PATCH", {"fullname": "x"}), ("PATCH", {"passwd": "x"}), ("DELETE", None)):
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
    for method, given in (("PATCH", b'{"passwd":"x","active":false}'), ("DELETE", b"")):
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
    assert "a user was changed" in printed
    assert secret not in printed
