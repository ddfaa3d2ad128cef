"""`GET /user/{user_id}`: every row of its error table to the byte, and the 39 fields."""

from __future__ import annotations

import json

import pytest

from service.credentials import is_hash
from tests.support.database import TestDatabase
from tests.support.seeds import USER, without_own
from tests.support.server import ADMIN, Server, Start, told

TOKEN = {"X-Auth-Token": ADMIN["X-Auth-Token"]}
NO_TOKEN = (
    b'{"error_type":"unauthenticated_error","success":false,"error":'
    b'{"message":"No header X-Auth-Token present","code":110,"reason":"auth_token_not_provided"}}'
)
WRONG_TOKEN = (
    b'{"error_type":"unauthenticated_error","success":false,"error":'
    b'{"message":"Incorrect token provided","code":120,"reason":"incorrect_token_provided"}}'
)
NOT_FOUND = b'{"error_type":"Object not found","success":false}'
NOT_ADMIN = (
    b'{"error_type":"permission_error","success":false,"error":'
    b'{"message":"Only an admin may do this","reason":"admin_required"}}'
)
FIELDS = [
    "user_id", "passwd", "user_type", "active", "carrier_name", "default_mod", "reseller_id", "outbound_report",
    "client_limits", "last_name", "role_id", "last_login_time", "all_termination", "report_fields", "client",
    "report_count", "name", "first_name", "cdr_expire", "is_preload", "landing_page", "login_ip", "default_mod2",
    "avatar_id", "create_user_id", "create_time", "agent", "report_group", "auth_ip", "default_billing_decimal",
    "card_id", "email", "last_seen", "is_online", "role_name", "client_id", "fullname", "cdr_api_token",
    "show_carrier_trunk_drop_only",
]  # fmt: skip
"""The seed's, in the seed's order."""


@pytest.mark.parametrize("path", ["/user/1795", "/v1/user/1795", "/user/nobody", "/v1/user/99"])
async def test_without_a_token_it_is_code_110(shared: Server, path: str) -> None:
    for headers in ({}, {"X-Auth-Token": ""}, {"X-User-Id": ADMIN["X-User-Id"]}):
        answer = await shared.client.get(path, headers=headers)
        assert (answer.status, await answer.read()) == (401, NO_TOKEN)
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("token", ["x", "x" * 43, TOKEN["X-Auth-Token"] + "x", TOKEN["X-Auth-Token"].upper(), "a.b.c"])
async def test_with_a_wrong_token_it_is_code_120(shared: Server, token: str) -> None:
    for path in ("/user/1795", "/v1/user/nobody"):
        answer = await shared.client.get(path, headers={"X-Auth-Token": token})
        assert (answer.status, await answer.read()) == (401, WRONG_TOKEN)


@pytest.mark.parametrize(("user_id", "uid"), [(1795, "ByehQjC44FwMeiLbX"), (1797, "hT5rLwQ8vKz2fYj6N")])
async def test_a_good_token_that_is_no_admins_is_a_403_even_for_oneself(shared: Server, user_id: int, uid: str) -> None:
    headers = await shared.headers_of(user_id, uid)
    for asked in (user_id, 1, 99, "nobody"):
        answer = await shared.client.get(f"/user/{asked}", headers=headers)
        assert (answer.status, await answer.read()) == (403, NOT_ADMIN)


@pytest.mark.parametrize(
    "user_id",
    ["0", "2", "9" * 19, "9223372036854775808", "9" * 40, "9" * 5000, "-1", "-1795", "+1795", "01795", "1795.0", "1e3",
     "%201795", "1795%00", "1795%0A", "1795%0d%0aX:%20y", "%D9%A1%D9%A7%D9%A9%D9%A5", "%EF%BC%91", "0x703",
     "1_795", "1795;drop%20table%20users", "1%20or%201=1", "1795'--", "dnhai", "ByehQjC44FwMeiLbX", "null", "%", "%ff"],
)  # fmt: skip
@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_what_is_no_users_number_is_not_found(shared: Server, prefix: str, user_id: str) -> None:
    answer = await shared.raw(f"{prefix}/user/{user_id}", f"X-Auth-Token: {TOKEN['X-Auth-Token']}")
    assert (answer.status, answer.body) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/user", "/user/", "/v1/user", "/v1/user/1795/", "/v1/user/1795/x"])
async def test_an_unknown_path_of_the_family_is_not_found_in_its_envelope(shared: Server, path: str) -> None:
    answer = await shared.client.get(path, headers=TOKEN)
    assert (answer.status, await answer.read()) == (404, NOT_FOUND)


@pytest.mark.parametrize("path", ["/user/1795", "/v1/user/1795"])
async def test_another_method_is_a_405_in_the_familys_envelope_before_anything_else(shared: Server, path: str) -> None:
    answer = await shared.client.post(path)
    assert (answer.status, answer.headers["Allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    assert await answer.read() == (
        b'{"error_type":"method_not_allowed","success":false,'
        b'"error":{"message":"Allowed here: DELETE, GET, HEAD, PATCH","reason":"method_not_allowed"}}'
    )
    assert (await shared.client.get("/v1/auth")).headers["Allow"] == "POST"


WORDS = (
    ("POST", "list", "GET, HEAD"),
    ("DELETE", "list", "GET, HEAD"),
    ("GET", "create", "POST"),
    ("PATCH", "create", "POST"),
)


@pytest.mark.parametrize("prefix", ["", "/v1"])
async def test_list_and_create_are_calls_of_their_own_and_no_user_s_number(shared: Server, prefix: str) -> None:
    for method, word, allowed in WORDS:
        answer = await shared.client.request(method, f"{prefix}/user/{word}")
        assert (answer.status, answer.headers["Allow"]) == (405, allowed)
    for text in ("lists", "list%0A", "create.", "Create"):
        assert (await shared.raw(f"{prefix}/user/{text}", f"X-Auth-Token: {TOKEN['X-Auth-Token']}")).body == NOT_FOUND
        assert (await shared.raw(f"{prefix}/user/{text}")).status == 401


async def test_a_user_is_the_seeds_39_fields_in_the_seeds_order(shared: Server) -> None:
    answer = await shared.client.get("/user/1795", headers=TOKEN)
    payload = (await answer.json())["payload"]
    assert list(payload) == FIELDS
    assert without_own(payload, USER["payload"]) == USER["payload"]
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"


async def test_every_field_that_can_be_null_in_the_seed_can_be_told(database: TestDatabase, server: Server) -> None:
    await database.execute(
        """
        update users set carrier_name = 'c', reseller_id = 2, client_limits = '[{"limit": 1}]', last_name = 'l',
            role_id = 3, client = '{"a": [1, null]}', cdr_expire = '2030-01-02T03:04:05+02:00', avatar_id = 4,
            agent = '{}', auth_ip = '{192.0.2.1,10.0.0.0/8}', client_id = 5, fullname = 'f "ü"', cdr_api_token = 't',
            first_name = null, create_user_id = null, email = null
        where user_id = 1795
        """
    )
    _, body = await told(await server.client.get("/user/1795", headers=TOKEN))
    shown = body["payload"]
    assert (shown["client_limits"], shown["client"], shown["agent"]) == ([{"limit": 1}], {"a": [1, None]}, {})
    assert shown["cdr_expire"] == "2030-01-02T01:04:05.000000+00:00"
    assert shown["auth_ip"] == ["192.0.2.1", "10.0.0.0/8"]
    assert (shown["reseller_id"], shown["role_id"], shown["avatar_id"], shown["client_id"]) == (2, 3, 4, 5)
    assert (shown["fullname"], shown["first_name"], shown["email"]) == ('f "ü"', None, None)


async def test_a_user_is_read_from_postgresql_at_each_request(database: TestDatabase, server: Server) -> None:
    await server.client.get("/user/1795", headers=TOKEN)
    await database.execute("update users set landing_page = 'changed' where user_id = 1795")
    _, body = await told(await server.client.get("/user/1795", headers=TOKEN))
    assert body["payload"]["landing_page"] == "changed"


async def test_the_smallest_and_the_largest_number_are_users_like_others(
    database: TestDatabase, server: Server
) -> None:
    for number, name, uid in ((0, "zero", "2" * 17), (2**63 - 1, "largest", "3" * 17)):
        await database.execute(
            "insert into users (user_id, name, passwd, user_type, uid) values ($1, $2, '', 'client', $3)",
            number, name, uid,
        )  # fmt: skip
        _, body = await told(await server.client.get(f"/user/{number}", headers=TOKEN))
        assert (body["payload"]["user_id"], body["payload"]["name"]) == (number, name)


@pytest.mark.parametrize("mask", [True, False])
async def test_a_setting_masks_the_hash(database: TestDatabase, start: Start, mask: bool) -> None:
    server = await start(database.settings(mask_passwd=mask))
    answer = await server.client.get("/user/1795", headers=TOKEN)
    passwd = json.loads(await answer.read())["payload"]["passwd"]
    assert (passwd == "") if mask else is_hash(passwd)
