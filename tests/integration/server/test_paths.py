"""Paths: doubled slashes are served, `%2F` stays what it is; and requests that are no HTTP."""

from __future__ import annotations

import json

import pytest

from service.cli.demo import ADMIN_TOKEN
from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import RawAnswer, answer_on, line_to, raw, request
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server

LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())


@pytest.mark.parametrize(
    "target",
    [
        "/user/1795", "/v1/user/1795", "/v1//user/1795", "//v1///user//1795", "//user/1795", "///user///1795",
        "/v1/user/1795?x=//", "//v1//user//1795?//", "/user/%31795", "http://test//v1//user/1795",
    ],
)  # fmt: skip
async def test_a_user_is_served_whatever_the_number_of_slashes(shared: Server, target: str) -> None:
    answer = await shared.raw(target, *LINES)
    assert (answer.status, answer.json["payload"]["user_id"]) == (200, 1795)


async def test_a_query_behind_doubled_slashes_is_kept(shared: Server) -> None:
    answer = await shared.raw(f"/{REGISTRATION.replace('/', '//')}?id={AGENT_UID}", *LINES)
    assert (answer.status, answer.json["host"]) == (200, "pbx.example.com")


async def test_a_body_behind_doubled_slashes_is_read(shared: Server) -> None:
    body = json.dumps({"resume": ADMIN_TOKEN}).encode()
    answer = await shared.raw("//api//v1//login", "Content-Type: application/json", method="POST", body=body)
    assert (answer.status, answer.json["data"]["authToken"]) == (200, ADMIN_TOKEN)


async def test_a_body_of_10_mb_behind_doubled_slashes_is_refused(shared: Server) -> None:
    answer = await shared.raw("//api//v1//login", "Content-Type: application/json", "Content-Length: 10000000",
                              method="POST")  # fmt: skip
    assert answer.status == 413


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("//api//v1//login", 405),
        ("//v1//auth", 405),
        ("//livez", 200),
        ("/livez//", 404),
        ("//api//v1//x", 404),
    ],
)
async def test_doubled_slashes_change_no_other_answer(shared: Server, target: str, status: int) -> None:
    answer = await shared.raw(target)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "target",
    ["/v1%2Fuser/1795", "/user%2F1795", "/user/1795%2F", "/user/%2F1795", "/user/17%2F95", "/v1/%2Fuser/1795",
     "/%2Fuser/1795", "/v1%2F%2Fuser/1795", "/v1/user%2f1795"],
)  # fmt: skip
async def test_an_encoded_slash_is_no_slash(shared: Server, target: str) -> None:
    answer = await shared.raw(target, *LINES)
    assert answer.status == 404
    assert answer.json["success"] is False


USERS = b'{"error_type":"Object not found","success":false}'
ANY = b'{"success":false,"error":"Resource not found"}'


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("/user", USERS), ("/user/", USERS), ("/v1/user/x/y", USERS), ("/auth/x", USERS), ("//v1//auth//x", USERS),
        ("/v1/%75ser", USERS), ("/v1/%61uth/x", USERS), ("http://test//user", USERS),
        ("/userfoo", ANY), ("/users", ANY), ("/authors", ANY), ("/v1/authx", ANY), ("/v1//userx", ANY),
        ("/v1/users/1", ANY), ("/v1/v1/user/1", ANY), ("/v1user/1", ANY), ("/v1", ANY), ("/v1auth", ANY),
        ("/User/1", ANY),
        ("/user%2F1", ANY), ("/user%00", ANY), ("/user;x/1", ANY), ("/%2Fuser/1", ANY), ("/x/user/1", ANY),
        ("/api/v1foo", ANY),
        ("/api/v1", ANY), ("/api//v1//x", ANY), ("/api/v1/user/1", ANY), ("/API/v1/x", ANY),
    ],
)  # fmt: skip
async def test_a_path_that_nobody_serves_is_its_own_familys_404(shared: Server, target: str, body: bytes) -> None:
    answer = await shared.raw(target)
    assert (answer.status, answer.body) == (404, body)


@pytest.mark.parametrize(
    ("target", "envelope"),
    [("/api/v1/login", "status"), ("/api/v1x/login", "success"), ("/v1/auth", "error_type"), ("/livez", "success")],
)
async def test_a_wrong_method_is_told_in_the_paths_own_envelope(shared: Server, target: str, envelope: str) -> None:
    answer = await shared.raw(target, method="PATCH")
    assert (answer.status in (404, 405), next(iter(answer.json))) == (True, envelope)


@pytest.mark.parametrize("count", [12, 13, 14, 15, 16, 17, 3_900])
@pytest.mark.parametrize(
    ("start", "error"), [("", "Resource not found"), ("/api/v1", "Resource not found"), ("/user", "")]
)
async def test_a_path_of_many_parts_is_nowhere(shared: Server, start: str, error: str, count: int) -> None:
    """However many: aiohttp's router would take milliseconds for the last one."""
    for slash in ("/", "//"):
        answer = await shared.raw(start + f"{slash}a" * (count // len(slash)), *LINES)
        assert (answer.status, answer.json.get("error", "")) == (404, error)


@pytest.mark.parametrize("method", ["OPTIONS", "PUT", "POST"])
async def test_another_method_is_told_which_there_are(shared: Server, method: str) -> None:
    answer = await shared.raw("/v1/user/1795", *LINES, method=method)
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, HEAD, PATCH")
    assert answer.json["error_type"] == "method_not_allowed"


async def test_head_is_a_get_without_a_body(shared: Server) -> None:
    answer = await shared.raw("/user/1795", *LINES, method="HEAD")
    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 800


@pytest.mark.parametrize("given", ["good-id_1.x", "a b", "x" * 65, "a\tb", "é", ""])
async def test_a_request_id_is_taken_over_only_when_it_is_harmless(shared: Server, given: str) -> None:
    answer = await shared.raw("/livez", f"X-Request-Id: {given}")
    told = answer.headers["x-request-id"]
    assert (told == given) is (given == "good-id_1.x")
    assert told.isascii()


MALFORMED = [
    b"nonsense\r\n\r\n",
    b"GET /livez HTTP/9.9\r\nHost: x\r\n\r\n",
    b"GET /live z HTTP/1.1\r\nHost: x\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Auth-Token: a\0b\r\n\r\n",
    b"BREW /livez HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS\r\n\r\n",
]
TOO_LONG = b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"


@pytest.mark.parametrize("data", MALFORMED)
async def test_malformed_http_is_answered_in_json_without_a_word_of_it(shared: Server, data: bytes) -> None:
    answer = await raw(shared.port, data)
    assert answer.json == {"success": False, "error": "The request is not valid HTTP"}
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert len(answer.headers["x-request-id"]) == 32


async def test_malformed_http_behind_a_request_ends_the_connection_after_its_answer(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request("/livez"))
        assert (await answer_on(reader)).status == 200
        writer.write(b"nonsense\r\n\r\n")
        assert (await answer_on(reader)).status == 400
        assert await reader.read() == b""


async def test_malformed_http_is_a_400_and_logs_no_traceback(database: TestDatabase) -> None:
    settings = database.settings()
    variables = command_line.environment(database, HTTP_PORT=str(settings.http_port))
    process = command_line.started(variables, "serve")

    async def alive() -> RawAnswer | None:
        try:
            return await raw(settings.http_port, request("/livez"))
        except OSError:
            return None

    try:
        await eventually(alive, what="it serves")
        for data, status in (*((each, 400) for each in MALFORMED), (TOO_LONG, 431)):
            assert (await raw(settings.http_port, data)).status == status, data[:60]
        assert (await raw(settings.http_port, request("/livez"))).status == 200
    finally:
        process.terminate()
    done = command_line.ended(process)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert '"level": "error"' not in done.stderr
