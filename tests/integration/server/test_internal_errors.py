"""Errors of the service itself: what a client sees of them, and that no answer names a version."""

from __future__ import annotations

import re

import pytest

from service.web.presence.sse.events import StreamEvents
from service.web.presence.sse.scheduler import STREAM_SCHEDULER
from service.web.server import dispatcher
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import line_to, request, rest_of
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
STREAM = "/api/v1/presence/stream"
MANY = "insert into extensions select 's' || n, 's', 'main' from generate_series(1, $1::int) n"


@pytest.mark.parametrize("version", ["1.1", "1.0"])
async def test_an_error_in_the_middle_of_a_stream_ends_it_and_nothing_else_is_said(
    database: TestDatabase, server: Server, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    async with line_to(server.port) as (reader, writer):
        writer.write(request(STREAM, *LINES).replace(b"HTTP/1.1", f"HTTP/{version}".encode()))
        head = await reader.readuntil(b"\r\n\r\n")
        await eventually(lambda: len(server.app[STREAM_SCHEDULER]) == 1, what="it is open")
        monkeypatch.setattr(StreamEvents, "take_news", None)
        await database.execute(MANY, 1)
        rest = await rest_of(reader)
    assert head.startswith(b"HTTP/1.1 200") or version == "1.0"
    assert b"event: snapshot" in rest
    assert b"HTTP/1" not in rest
    assert not rest.endswith(b"\r\n0\r\n\r\n")  # so that the client sees that it is not whole
    assert len(server.app[STREAM_SCHEDULER]) == 0


SERVED = [
    request(POLL, *LINES),
    request(POLL),
    request("/user/1795", *LINES),
    request("/livez"),
    request("/docs"),
    request("/openapi.json"),
    request("/metrics"),
    request("/nowhere"),
    request("/livez", method="PUT"),
    request("/livez", "Content-Encoding: br"),
    request("/livez", "Content-Length: 10000000"),
    request("/livez", "Expect: more"),
    request(STREAM, *LINES),
    b"nonsense\r\n\r\n",
    b"GET /livez HTTP/1.0\r\n\r\n",
]


@pytest.mark.parametrize("data", SERVED)
async def test_no_answer_names_a_version(shared: Server, data: bytes) -> None:
    async with line_to(shared.port) as (reader, writer):
        writer.write(data)
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    assert re.findall(r"\r\nServer: (.*)\r\n", head, re.IGNORECASE) == ["asterisk-connector"]
    assert not re.search("aiohttp|python|uvloop", head, re.IGNORECASE)


async def test_a_bug_in_front_of_all_handlers_is_a_500_without_a_word_of_it(
    shared: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatcher, "_add_headers", None)
    answer = await shared.raw("/livez")
    assert (answer.status, answer.json) == (500, {"success": False, "error": "Internal server error"})
    assert answer.headers["server"] == "asterisk-connector"
