"""Every row of the error table of registration info, to the byte, and the order in which they are decided."""

from __future__ import annotations

import json

import pytest

from tests.support.database import TestDatabase, call_server
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, REGISTRATION, Server, Start

NOT_LOGGED_IN = (
    b'{"status":"error","message":"You must be logged in to do this.","success":false,'
    b'"error":"You must be logged in to do this."}'
)
MISSING = b'{"success":false,"error":"Match error: Missing key \'id\'"}'
UNAUTHORIZED = b'{"success":false,"error":"unauthorized"}'
NO_EXTENSION = b'{"success":false,"error":"Extension not found"}'
NO_ENDPOINT = b'{"status":"error","message":"API endpoint does not exist"}'
NO_RESOURCE = b'{"success":false,"error":"Resource not found"}'
NOPHONE_UID, INACTIVE_UID, NOBODY_UID = "hT5rLwQ8vKz2fYj6N", "aB4cDeF6gH8jKmN9p", "22222222222222222"
ADMIN_LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())


def mismatch(what: str) -> bytes:
    return json.dumps({"success": False, "error": f"Match error: {what}"}, separators=(",", ":")).encode()


async def asked(server: Server, body: bytes, query: str = "", **headers: str) -> tuple[int, bytes]:
    """What the admin is told who asks with this body, and this raw query."""
    lines = (f"{name.replace('_', '-')}: {value}" for name, value in headers.items())
    answer = await server.raw(f"{REGISTRATION}{query}", *ADMIN_LINES, *lines, body=body)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    return answer.status, answer.body


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-Auth-Token": ADMIN["X-Auth-Token"]},
        {"X-User-Id": ADMIN_UID},
        {"X-Auth-Token": "", "X-User-Id": ""},
        {"X-Auth-Token": "x" * 43, "X-User-Id": ADMIN_UID},
        {"X-Auth-Token": "short", "X-User-Id": ADMIN_UID},
        {"X-Auth-Token": ADMIN["X-Auth-Token"].lower(), "X-User-Id": ADMIN_UID},
        {"X-Auth-Token": ADMIN["X-Auth-Token"], "X-User-Id": AGENT_UID},
        {"X-Auth-Token": ADMIN["X-Auth-Token"], "X-User-Id": ADMIN_UID.lower()},
        {"X-Auth-Token": "\udcff" * 43, "X-User-Id": ADMIN_UID},
    ],
    ids=["none", "no id", "no token", "empty", "wrong", "short", "case", "somebody else's", "id's case", "no UTF-8"],
)
async def test_whoever_is_not_logged_in_is_told_so(shared: Server, headers: dict[str, str]) -> None:
    lines = [f"{name}: {value}" for name, value in headers.items()]
    answer = await shared.raw(f"{REGISTRATION}?id={AGENT_UID}", *lines)
    assert (answer.status, answer.body) == (401, NOT_LOGGED_IN)


@pytest.mark.parametrize("body", [b"", b"{}", b'{"ID":"x"}', b" {} "])
async def test_a_missing_id_is_a_400(shared: Server, body: bytes) -> None:
    assert await asked(shared, body) == (400, MISSING)


@pytest.mark.parametrize(
    ("value", "kind"),
    [("1", "number"), ("1.5", "number"), ("1e400", "number"), ("{}", "object"), ("[]", "array"), ("null", "null"),
     ("true", "boolean"), ("false", "boolean"), ('["ByehQjC44FwMeiLbX"]', "array")],
)  # fmt: skip
async def test_an_id_of_another_type_is_named(shared: Server, value: str, kind: str) -> None:
    told = mismatch(f"Expected string, got {kind} in field id")
    assert await asked(shared, f'{{"id":{value}}}'.encode()) == (400, told)


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"[]", "Expected object, got array"),
        (b"null", "Missing key 'id'"),  # it is what axios sends where it is given no body
        (b'"ByehQjC44FwMeiLbX"', "Expected object, got string"),
        (b"1", "Expected object, got number"),
        (b"id=ByehQjC44FwMeiLbX", "the body is not valid JSON"),
        (b" ", "the body is not valid JSON"),
        (b'{"id":"ByehQjC44FwMeiLbX"', "the body is not valid JSON"),
        (b'{"id":"ByehQjC44FwMeiLbX"} x', "the body is not valid JSON"),
        (b'{"id":NaN}', "the body is not valid JSON"),
        (b'{"id":-Infinity}', "the body is not valid JSON"),
        (b'{"id":"\xff\xfe"}', "the body is not valid JSON"),
        (b'{"id":"a\nb"}', "the body is not valid JSON"),
        (b'{"id":' + b"9" * 5000 + b"}", "the body is not valid JSON"),
        (b'{"id":' + b"[" * 30_000 + b"]" * 30_000 + b"}", "the body is not valid JSON"),
        (b'{"id":"a","id":"a"}', "Key 'id' is given more than once"),
        (b'{"id":"a","x":1,"x":2}', "Key 'x' is given more than once"),
        (b'{"id":""}', "Expected non-empty string in field id"),
    ],
)
async def test_a_body_that_is_no_object_with_an_id_is_refused(shared: Server, body: bytes, what: str) -> None:
    assert await asked(shared, body) == (400, mismatch(what))


@pytest.mark.parametrize(
    ("query", "what"),
    [
        ("?id=", "Expected non-empty string in field id"),
        ("?id", "Expected non-empty string in field id"),
        (f"?id={AGENT_UID}&id={AGENT_UID}", "Key 'id' is given more than once"),
        (f"?id={AGENT_UID}&id=", "Key 'id' is given more than once"),
    ],
)
async def test_an_empty_or_repeated_id_in_the_query_is_refused(shared: Server, query: str, what: str) -> None:
    assert await asked(shared, b"", query) == (400, mismatch(what))


async def test_an_id_that_differs_between_query_and_body_is_refused(shared: Server) -> None:
    told = mismatch("Key 'id' differs between query and body")
    assert await asked(shared, b'{"id":"ByehQjC44FwMeiLbX"}', f"?id={ADMIN_UID}") == (400, told)


async def test_a_key_with_half_a_surrogate_that_is_repeated_is_refused_like_any_other(shared: Server) -> None:
    status, body = await asked(shared, rb'{"\ud800":1,"\ud800":2}')
    assert status == 400
    assert json.loads(body)["error"].startswith("Match error: Key ")


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "application/x-www-form-urlencoded", "x"])
async def test_a_body_is_json_whatever_its_content_type(shared: Server, content_type: str) -> None:
    status, body = await asked(shared, b'{"id":"ByehQjC44FwMeiLbX"}', content_type=content_type)
    assert (status, json.loads(body)["extensionDetails"]["extension"]) == (200, "12342")


@pytest.mark.parametrize("body", [b'{"id":"ByehQjC44FwMeiLbX"}', b'{"other":1}'])
async def test_the_same_id_in_query_and_body_or_only_in_the_query_is_answered(shared: Server, body: bytes) -> None:
    assert (await asked(shared, body, f"?id={AGENT_UID}"))[0] == 200


STRANGE = [
    AGENT_UID.lower(), f"{AGENT_UID} ", "1795", "dnhai", f"{AGENT_UID}\\r\\nX: y", "\\u0000", "\\ud800", "' or true --",
    "é" * 17, "x" * 60_000,
]  # fmt: skip


@pytest.mark.parametrize("uid", [NOPHONE_UID, INACTIVE_UID, NOBODY_UID, *STRANGE])
async def test_whoever_has_no_extension_or_does_not_exist_is_a_404_for_an_admin(shared: Server, uid: str) -> None:
    assert await asked(shared, f'{{"id":"{uid}"}}'.encode()) == (404, NO_EXTENSION)


@pytest.mark.parametrize("uid", [ADMIN_UID, NOPHONE_UID, NOBODY_UID, *STRANGE])
async def test_anybody_elses_id_is_a_403_existing_or_not(shared: Server, uid: str) -> None:
    answer = await shared.client.request(
        "GET", REGISTRATION, data=f'{{"id":"{uid}"}}', headers=await shared.headers_of()
    )
    assert (answer.status, await answer.read()) == (403, UNAUTHORIZED)


@pytest.mark.parametrize("query", ["%00", "%ff", "%ED%A0%80", "a%0d%0aSet-Cookie:%20x=1", "%", "1795"])
async def test_strange_bytes_in_the_query_find_nobody(shared: Server, query: str) -> None:
    assert await asked(shared, b"", f"?id={query}") == (404, NO_EXTENSION)


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_another_method_is_a_405_with_allow_before_anything_else(shared: Server, method: str) -> None:
    answer = await shared.raw(REGISTRATION, method=method)
    assert (answer.status, answer.body) == (405, NO_ENDPOINT)
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("path", ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/user/1795", f"{REGISTRATION}/"])
async def test_an_unknown_path_is_a_404(shared: Server, path: str) -> None:
    answer = await shared.client.get(path)
    assert (answer.status, await answer.read()) == (404, NO_RESOURCE)


async def test_who_asks_is_decided_before_what_is_asked(shared: Server) -> None:
    answer = await shared.client.request("GET", REGISTRATION, data=b"[")
    assert (answer.status, await answer.read()) == (401, NOT_LOGGED_IN)


async def test_what_is_asked_is_decided_before_whether_it_is_allowed(shared: Server) -> None:
    headers = await shared.headers_of()
    for body, status in ((b"[", 400), (b'{"id":1}', 400), (f'{{"id":"{NOBODY_UID}"}}'.encode(), 403)):
        assert (await shared.client.request("GET", REGISTRATION, data=body, headers=headers)).status == status


async def test_an_extension_whose_call_server_is_not_configured_is_a_503(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(call_servers={"other": call_server()}))
    answer = await server.registration()
    assert (answer.status, await answer.read()) == (503, b'{"success":false,"error":"Service unavailable"}')
    assert int(answer.headers["Retry-After"]) > 0
