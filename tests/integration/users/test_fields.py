"""The fields of a user, as `POST /user/create` and `PATCH /user/{user_id}` take them: stored, or refused."""

from __future__ import annotations

import unicodedata
from typing import Any

import pytest

from tests.integration.users.test_get import FIELDS
from tests.support.database import TestDatabase
from tests.support.server import Server, told
from tests.support.user_calls import NAMES, NEW, TOKEN, asked, made, refused

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
    ("passwd", "seven77"),
    ("passwd", "ü" * 7),
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
    for name in (*NAMES, "ΣΊΣΥΦΟΣ", "नमस्ते", "ÇELEBİ", "x" * 200):
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
