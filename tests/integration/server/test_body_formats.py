"""Bodies that are nested too deeply, `null`, of another type or a broken form, in every envelope."""

from __future__ import annotations

import json

import pytest

from service.web.http.body import OF_STRANGERS
from tests.support.database import TestDatabase
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
JSON = "Content-Type: application/json"


async def test_json_nested_100_000_deep_is_a_400(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(body_limit=1 << 20))
    for body in (b"[" * 100_000, b'{"id":' * 100_000, b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
        answer = await server.raw(REGISTRATION, *LINES, body=body)
        assert (answer.status, answer.json["success"]) == (400, False)


DEEP = [33, 200, 900, 975, 983, 990, 1000, 10_000]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PATCH", "/user/1795"), ("POST", "/user/create"), ("POST", "/auth"), ("POST", "/api/v1/login"),
        ("PUT", "/api/v1/presence"), ("POST", "/api/v1/omnichannel/agent/extension"), ("GET", REGISTRATION),
        ("GET", "/api/v1/omnichannel/extensions"),
    ],
)  # fmt: skip
async def test_json_that_is_nested_deeply_is_a_400_wherever_it_comes(shared: Server, method: str, path: str) -> None:
    """As arrays, as objects, beside what is right, in a known field and in one that nobody knows."""
    for depth in DEEP:
        for name in ("id", "auth_ip", "nobody"):
            for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
                value = opening * depth + b"1" + closing * depth
                body = b'{"%b":%b}' % (name.encode(), value)
                expected = 413 if path in ("/auth", "/api/v1/login") and len(body) > OF_STRANGERS else 400
                answer = await shared.raw(path, *LINES, JSON, method=method, body=body)
                assert (answer.status, answer.json["success"]) == (expected, False), (depth, name, opening)


async def test_brackets_in_text_and_many_side_by_side_are_no_depth(shared: Server) -> None:
    values: list[object] = ["[" * 1000, [[]] * 1000, {str(n): {} for n in range(1000)}]
    for value in values:
        body = json.dumps({"id": AGENT_UID, "more": value}).encode()
        assert (await shared.raw(REGISTRATION, *LINES, JSON, body=body)).status == 200


@pytest.mark.parametrize("body", [b"null", b" null\r\n"])
@pytest.mark.parametrize("kind", [JSON, "Content-Type: application/x-www-form-urlencoded", "X-None: 1"])
async def test_a_body_of_null_sent_with_a_get_is_none(shared: Server, body: bytes, kind: str) -> None:
    """axios sends it where no body is given."""
    for path in (
        f"{REGISTRATION}?id={AGENT_UID}",
        "/api/v1/connector.extension.getDetails?extension=12342",
        "/api/v1/omnichannel/extensions?count=1",
        "/api/v1/omnichannel/agents/available?text=a",
    ):
        assert (await shared.raw(path, *LINES, kind, body=body)).status == 200, path
    answer = await shared.raw(REGISTRATION, *LINES, kind, body=body)
    assert (answer.status, answer.json["error"]) == (400, "Match error: Missing key 'id'")


@pytest.mark.parametrize("body", [b"nul", b"nullnull", b"[null]", b'"null"', b"NULL", b" "])
async def test_what_only_looks_like_null_is_no_object(shared: Server, body: bytes) -> None:
    assert (await shared.raw(f"{REGISTRATION}?id={AGENT_UID}", *LINES, JSON, body=body)).status == 400


async def test_a_body_of_null_is_no_object_where_the_arguments_come_in_it(shared: Server) -> None:
    for method, path in (("POST", "/api/v1/login"), ("PATCH", "/user/1795"), ("PUT", "/api/v1/presence")):
        assert (await shared.raw(path, *LINES, JSON, method=method, body=b"null")).status == 400


@pytest.mark.parametrize("path", ["/api/v1/login", "/auth"])
@pytest.mark.parametrize("content_type", ["text/plain", "multipart/form-data; boundary=x", "application/xml"])
async def test_a_login_of_another_content_type_is_a_415(shared: Server, path: str, content_type: str) -> None:
    answer = await shared.client.post(path, data=b'{"user":"x"}', headers={"Content-Type": content_type})
    body = await answer.json()
    assert (answer.status, body["success"]) == (415, False)
    told = "The request's content type is not supported"
    assert body["error"] in (told, {"message": told, "reason": "request_failed"})


@pytest.mark.parametrize(
    "body",
    [
        b"\xff=\xff",
        b"user=%ff%fe&password=x",
        b"user=a&user=b&password=x",
        b"user=&password=x",
        b"",
        b"&&&",
        b"a" * 999,
    ],
)
@pytest.mark.parametrize("charset", ["", "; charset=utf-8", "; charset=nonsense", "; charset=utf-16"])
async def test_a_form_that_cannot_be_read_is_a_refusal_and_no_bug(shared: Server, body: bytes, charset: str) -> None:
    headers = {"Content-Type": f"application/x-www-form-urlencoded{charset}"}
    answer = await shared.client.post("/api/v1/login", data=body, headers=headers)
    assert answer.status in (400, 401)
    told = json.loads(await answer.read())
    assert told.get("success") is False or told["status"] == "error"
