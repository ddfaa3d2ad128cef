"""Answers that are made once: what differs from request to request is right all the same."""

from __future__ import annotations

import pytest

from tests.support.database import TestDatabase
from tests.support.raw import answer_on, line_to, raw, request
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
PATHS = (f"{REGISTRATION}?id={AGENT_UID}", "/api/v1/presence", "/api/v1/presence/12343")


@pytest.mark.parametrize("path", PATHS)
async def test_head_has_the_headers_of_get_and_no_body(shared: Server, path: str) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(request(path, *LINES, method="HEAD"))
        head = await answer_on(reader, bodiless=True)
        writer.write(request(path, *LINES))
        get = await answer_on(reader)
    assert (head.status, get.status) == (200, 200)
    assert len(get.body) == int(get.headers["content-length"]) == int(head.headers["content-length"])
    assert head.headers.keys() == get.headers.keys()


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_client_knows_is_answered_without_body_and_length(shared: Server, path: str) -> None:
    etag = (await shared.raw(path, *LINES)).headers["etag"]
    async with line_to(shared.port) as (reader, writer):
        for tag in (etag, f"W/{etag}", f'"other", {etag}', "*"):
            writer.write(request(path, *LINES, f"If-None-Match: {tag}"))
            answer = await answer_on(reader)
            assert (answer.status, answer.headers["etag"]) == (304, etag)
            assert answer.headers.keys().isdisjoint({"content-length", "content-type", "connection"})


@pytest.mark.parametrize(
    ("version", "asked", "told"),
    [("1.1", "keep-alive", None), ("1.1", "close", "close"), ("1.0", "keep-alive", "keep-alive"), ("1.0", "", None)],
)
async def test_a_connection_is_kept_as_the_client_wants_it(
    shared: Server, version: str, asked: str, told: str | None
) -> None:
    data = request(PATHS[0], *LINES, f"Connection: {asked}").replace(b"HTTP/1.1", f"HTTP/{version}".encode())
    async with line_to(shared.port) as (reader, writer):
        writer.write(data)
        answer = await answer_on(reader)
        assert (answer.status, answer.headers.get("connection")) == (200, told)
        writer.write(data)
        if asked == "keep-alive":
            assert (await answer_on(reader)).body == answer.body
        else:
            assert await reader.read() == b""


async def test_every_header_stands_there_once_for_a_page_of_another_origin(
    database: TestDatabase, start: Start
) -> None:
    server = await start(database.settings(cors_origins=["https://a.example"]))
    async with line_to(server.port) as (reader, writer):
        writer.write(request(PATHS[0], *LINES, "Origin: https://a.example"))
        names = [line.split(b":")[0].lower() for line in (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")[1:-2]]
    assert len(names) == len(set(names))
    assert {b"access-control-allow-origin", b"vary", b"etag", b"date", b"server", b"x-request-id"} <= set(names)


async def test_each_answer_has_a_request_id_of_its_own(shared: Server) -> None:
    ids = [(await shared.raw(PATHS[0], *LINES)).headers["x-request-id"] for _ in range(2)]
    assert len({*ids}) == 2
    given = await raw(shared.port, request(PATHS[0], *LINES, "X-Request-Id: mine"))
    assert given.headers["x-request-id"] == "mine"
