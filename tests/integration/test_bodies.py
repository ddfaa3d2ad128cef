"""Bodies that are too large, too slow, packed, broken or of the wrong type, in every envelope."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib

import pytest

from tests.support.database import TestDatabase
from tests.support.raw import answer_on, line_to, request
from tests.support.server import ADMIN, REGISTRATION, Server, Start

ID = b'{"id":"ByehQjC44FwMeiLbX"}'
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
TOO_LARGE = {"success": False, "error": "The request's body is too large"}
TOO_SLOW = {"success": False, "error": "The request's body did not come in time"}
TEN_MB = 10 << 20


async def test_a_body_of_10_mb_is_refused_before_it_is_read(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(REGISTRATION, *LINES, f"Content-Length: {TEN_MB}"))
        answer = await answer_on(reader, within=2)
    assert (answer.status, answer.json) == (413, TOO_LARGE)
    assert answer.headers["connection"] == "close"


async def test_a_client_that_sends_10_mb_all_the_same_reads_the_413(shared: Server) -> None:
    answer = await shared.client.request("GET", REGISTRATION, data=b" " * TEN_MB, headers=ADMIN)
    assert (answer.status, await answer.json()) == (413, TOO_LARGE)


async def test_a_chunked_body_of_10_mb_is_refused(shared: Server) -> None:
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(REGISTRATION, *LINES, "Transfer-Encoding: chunked"))
        for _ in range(TEN_MB // 0x10000):
            writer.write(chunk)
            await writer.drain()
        answer = await answer_on(reader)
    assert (answer.status, answer.json) == (413, TOO_LARGE)


@pytest.mark.parametrize(
    ("path", "envelope"),
    [
        ("/api/v1/login", TOO_LARGE),
        ("/v1/auth", {"error_type": "operation_error", "success": False,
                      "error": {"message": TOO_LARGE["error"], "reason": "request_failed"}}),
    ],
)  # fmt: skip
async def test_a_login_of_more_than_the_limit_is_refused(shared: Server, path: str, envelope: object) -> None:
    answer = await shared.client.post(path, data=b" " * 70_000, headers={"Content-Type": "application/json"})
    assert (answer.status, await answer.json()) == (413, envelope)


async def test_a_small_gzip_that_unpacks_to_10_mb_is_refused(shared: Server) -> None:
    packed = gzip.compress(b" " * TEN_MB)
    answer = await shared.raw(REGISTRATION, *LINES, "Content-Encoding: gzip", body=packed)
    assert (answer.status, answer.json) == (413, TOO_LARGE)


@pytest.mark.parametrize(("encoding", "packed"), [("gzip", gzip.compress(ID, mtime=0)), ("deflate", zlib.compress(ID))])
async def test_a_packed_body_is_unpacked(shared: Server, encoding: str, packed: bytes) -> None:
    answer = await shared.raw(REGISTRATION, *LINES, f"Content-Encoding: {encoding}", body=packed)
    assert (answer.status, answer.json["extensionDetails"]["extension"]) == (200, "12342")


@pytest.mark.parametrize(
    "body", [b"this is no gzip", gzip.compress(ID, mtime=0)[:-12], b"\x1f\x8b"], ids=["none", "half", "magic"]
)
async def test_a_bad_gzip_is_a_400(shared: Server, body: bytes) -> None:
    answer = await shared.raw(REGISTRATION, *LINES, "Content-Encoding: gzip", body=body)
    assert answer.status == 400
    assert answer.json["success"] is False
    assert answer.json["error"].startswith("Match error: ")


@pytest.mark.parametrize(
    ("path", "method", "extra"),
    [
        (REGISTRATION, "GET", ()),
        ("/api/v1/login", "POST", ("Content-Type: application/json",)),
        ("/api/v1/login", "POST", ("Content-Type: application/x-www-form-urlencoded",)),
    ],
)
async def test_a_body_that_never_ends_is_a_408(
    database: TestDatabase, start: Start, path: str, method: str, extra: tuple[str, ...]
) -> None:
    server = await start(database.settings(body_deadline=0.3))
    async with line_to(server.port) as (reader, writer):
        writer.write(request(path, *LINES, *extra, "Content-Length: 100", method=method) + b"{")
        answer = await answer_on(reader, within=2)
    assert (answer.status, answer.json) == (408, TOO_SLOW)
    assert answer.headers["connection"] == "close"


async def test_a_body_that_drips_is_a_408_too(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(body_deadline=0.3))
    async with line_to(server.port) as (reader, writer):
        writer.write(request(REGISTRATION, *LINES, "Transfer-Encoding: chunked"))
        answer = asyncio.create_task(answer_on(reader, within=2))
        while not answer.done():
            writer.write(b"1\r\n \r\n")
            await asyncio.wait([answer], timeout=0.05)
    assert (answer.result().status, answer.result().json) == (408, TOO_SLOW)


async def test_json_nested_100_000_deep_is_a_400(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(body_limit=1 << 20))
    for body in (b"[" * 100_000, b'{"id":' * 100_000, b'{"id":' + b"[" * 100_000 + b"]" * 100_000 + b"}"):
        answer = await server.raw(REGISTRATION, *LINES, body=body)
        assert (answer.status, answer.json["success"]) == (400, False)


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
