"""Bodies that are too large, too slow, encoded, broken or of the wrong type, in every envelope."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import json
from collections.abc import AsyncIterator

import pytest
import structlog
from structlog.testing import capture_logs

from service.web.http.body import OF_STRANGERS
from tests.support.database import TestDatabase
from tests.support.raw import answer_on, line_to, request
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
TOO_LARGE = {"success": False, "error": "The request's body is too large"}
TOO_SLOW = {"success": False, "error": "The request's body did not come in time"}
TEN_MB = 10 << 20
JSON = "Content-Type: application/json"


async def test_a_body_of_10_mb_is_refused_before_it_is_read(shared: Server) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(REGISTRATION, *LINES, f"Content-Length: {TEN_MB}"))
        answer = await answer_on(reader)
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
    """What a stranger may send is less than what others may: it is parsed in one step."""

    async def chunks() -> AsyncIterator[bytes]:
        yield b" " * 5_000
        yield b" " * 5_000

    for data in (b" " * 70_000, b" " * (OF_STRANGERS + 1), chunks()):
        answer = await shared.client.post(path, data=data, headers={"Content-Type": "application/json"})
        assert (answer.status, await answer.json()) == (413, envelope)
    longest = json.dumps({"user": "\U0001f98a" * 320, "email_or_name": "x", "password": "\N{SNOWMAN}" * 24}).encode()
    answer = await shared.client.post(path, data=longest, headers={"Content-Type": "application/json"})
    assert (len(longest) > OF_STRANGERS / 2, answer.status) == (False, 401)


ENCODED = {"success": False, "error": "The request's content encoding is not supported"}
USER_FAMILY = {"error_type": "operation_error", "success": False,
               "error": {"message": ENCODED["error"], "reason": "request_failed"}}  # fmt: skip
BOMB = gzip.compress(b"\0" * TEN_MB)
"""10 KB that would be 10 MB."""


@pytest.mark.parametrize(
    "coding",
    ["gzip", "GZIP", "x-gzip", "deflate", "br", "zstd", "identity", "gzip, gzip", "made-up", "", "gz\u00efp"],
)
@pytest.mark.parametrize(("method", "path"), [("POST", "/nowhere"), ("GET", REGISTRATION), ("POST", "/api/v1/login")])
async def test_a_body_with_a_content_coding_is_refused_and_not_decoded(
    shared: Server, method: str, path: str, coding: str
) -> None:
    answer = await shared.raw(path, f"content-ENCODING: {coding}", method=method, body=BOMB)
    assert (answer.status, answer.json) == (415, ENCODED)
    assert (answer.headers["connection"], answer.headers["accept-encoding"]) == ("close", "identity")


@pytest.mark.parametrize(
    ("method", "path", "lines", "body"),
    [
        ("GET", f"{REGISTRATION}?id={AGENT_UID}", (*LINES, "Content-Encoding: gzip"), b""),  # else answered at once
        ("GET", "/api/v1/presence", (*LINES, "Content-Encoding: br"), b""),
        ("GET", "/livez", ("Content-Encoding: gzip", "Content-Encoding: identity"), b""),
        ("GET", "/livez", ("Content-Encoding: gzip", "Content-Length: 10240"), b""),  # it is not waited for
        ("POST", "/api/v1/login", ("Content-Encoding: gzip", "Expect: 100-continue", "Content-Length: 9"), b""),
        ("POST", "/nowhere", ("Content-Encoding: gzip", "Transfer-Encoding: chunked"), b"5\r\nabcde\r\n"),
        ("POST", "//nowhere", ("Content-Encoding: gzip",), b""),
        ("DELETE", "/api/v1/nowhere", (*LINES, "Content-Encoding: deflate"), b""),
    ],
)
async def test_a_content_coding_is_refused_by_the_headers_alone(
    shared: Server, method: str, path: str, lines: tuple[str, ...], body: bytes
) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(path, *lines, method=method, body=body))
        answer = await answer_on(reader)
        assert (answer.status, answer.json) == (415, ENCODED)
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), 15) == b""


async def test_another_method_is_told_so_before_the_body_is_looked_at(shared: Server) -> None:
    for extra in ("Content-Encoding: gzip", "Content-Length: 10000000"):
        answer = await shared.raw("/v1/user/1795", extra, method="PUT")
        assert (answer.status, answer.headers["connection"]) == (405, "close")


async def test_each_family_has_its_own_words_for_it(shared: Server) -> None:
    answer = await shared.raw("/user/create", "Content-Encoding: gzip", method="POST", body=BOMB)
    assert (answer.status, answer.json) == (415, USER_FAMILY)


@pytest.mark.parametrize("path", ["/nowhere", "/livez", "/api/v1/me", "/docs", f"{REGISTRATION}?id={AGENT_UID}"])
async def test_a_large_body_for_what_reads_none_is_refused_unread(shared: Server, path: str) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(path, "Content-Length: 65537"))
        answer = await answer_on(reader)
    assert (answer.status, answer.headers["connection"]) == (413, "close")
    assert answer.json == TOO_LARGE


async def test_a_body_without_end_for_what_reads_none_ends_the_connection(shared: Server) -> None:
    """The answer comes first; what is sent after it is thrown away for a moment."""
    chunk = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
    async with line_to(shared.port) as (reader, writer):
        writer.write(request("/nowhere", "Transfer-Encoding: chunked", method="POST"))
        assert (await answer_on(reader)).status == 404
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(10):
                while True:
                    writer.write(chunk)
                    await writer.drain()


@pytest.mark.parametrize("coding", ["gzip, chunked", "identity, chunked", "br, gzip, Chunked"])
@pytest.mark.parametrize("path", ["/api/v1/login", "/nowhere"])
async def test_of_transfer_codings_there_is_chunked(shared: Server, path: str, coding: str) -> None:
    body = b"2\r\n{}\r\n0\r\n\r\n"
    answer = await shared.raw(path, f"Transfer-Encoding: {coding}", method="POST", body=body)
    assert (answer.status, answer.headers["connection"]) == (501, "close")
    assert answer.json == {"success": False, "error": "The request's transfer encoding is not supported"}
    assert (await shared.raw("/api/v1/login", "Transfer-Encoding: CHUNKED", method="POST", body=body)).status == 400


@pytest.mark.parametrize("end", [b"0;" + b"x" * 200_000, b"0\r\n" + b"X-Trailer: y\r\n" * 10_000, b"5" * 100 + b"\r\n"])
async def test_a_body_that_ends_in_an_odd_way_is_refused(database: TestDatabase, start: Start, end: bytes) -> None:
    """Endless chunk extensions, endless trailers, a chunk larger than any."""
    server = await start(database.settings(body_deadline=0.3))
    lines = ("Content-Type: application/json", "Transfer-Encoding: chunked")
    async with line_to(server.port) as (reader, writer):
        writer.write(request("/api/v1/login", *lines, method="POST", body=b"2\r\n{}\r\n" + end))
        assert (await answer_on(reader)).status in (400, 408)
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), 15)


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
        answer = await answer_on(reader, within=4)
    assert (answer.status, answer.json) == (408, TOO_SLOW)
    assert answer.headers["connection"] == "close"


async def test_a_body_that_drips_is_a_408_too(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(body_deadline=0.3))
    async with line_to(server.port) as (reader, writer):
        writer.write(request(REGISTRATION, *LINES, "Transfer-Encoding: chunked"))
        answer = asyncio.create_task(answer_on(reader, within=4))
        while not answer.done():
            writer.write(b"1\r\n \r\n")
            await asyncio.wait([answer], timeout=0.05)
    assert (answer.result().status, answer.result().json) == (408, TOO_SLOW)


BREAKING_OFF = (
    ("POST", "/api/v1/login", "Content-Length: 50", b'{"user":'),
    ("POST", "/auth", "Transfer-Encoding: chunked", b"5\r\nab"),
    ("PATCH", "/user/1795", "Content-Length: 50", b'{"fullname":'),
    ("GET", REGISTRATION, "Content-Length: 50", b"{"),
    ("POST", "/api/v1/login", "Content-Length: 50\r\nExpect: 100-continue", b""),
)


@pytest.mark.parametrize("reset", [False, True], ids=["half-closed", "reset"])
async def test_a_client_that_goes_away_within_its_request_is_no_bug(shared: Server, reset: bool) -> None:
    structlog.configure(cache_logger_on_first_use=False)
    with capture_logs() as logs:
        for method, path, line, body in BREAKING_OFF:
            async with line_to(shared.port) as (reader, writer):
                writer.write(request(path, *LINES, JSON, line, method=method) + body)
                if not reset:
                    writer.write_eof()
                    async with asyncio.timeout(15):
                        await reader.read()  # until the service closes it
        assert (await shared.raw("/livez")).status == 200  # later than those
    assert [line for line in logs if line["log_level"] == "error"] == []
