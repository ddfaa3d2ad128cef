"""HTTPS without a proxy: what clients get over TLS, and what one may cost that stops in the middle."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from service.domain.networks import prefix
from service.runtime.app import run_app
from service.runtime.process import _serve_app
from service.runtime.sockets import _bind
from service.web.server import tls_handshake, write_backlog
from service.web.server.certificate import SERVED_CERTIFICATE
from service.web.server.connection_limit import CONNECTION_LIMIT
from service.web.server.write_backlog import WRITE_BACKLOG
from tests.support.certificates import Issued, issue
from tests.support.database import HASH_ROUNDS, TestDatabase, cloned
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, request, rest_of
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION

POLL = f"{REGISTRATION}?id={AGENT_UID}"
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())
STREAM = "/api/v1/presence/stream"
JSON = "Content-Type: application/json"
LOGIN = json.dumps({"user": "dnhai", "password": "demo-agent-password"}).encode()
MANY = "insert into extensions select 's' || n, 's', 'main' from generate_series(1, $1::int) n"


class Https:
    """A service in the test's own loop whose port speaks HTTPS, and what its clients trust."""

    def __init__(self, app: web.Application, port: int, trusting: ssl.SSLContext) -> None:
        self.app, self.port, self.trusting = app, port, trusting


@contextlib.asynccontextmanager
async def serving_https(database: TestDatabase, issued: Issued) -> AsyncIterator[Https]:
    settings = database.settings(
        tls_certificate_file=issued.certificate, tls_key_file=issued.key, requests_per_minute=1_000_000
    )
    (listener,) = _bind("127.0.0.1", 0)
    async with (
        run_app(settings, hash_rounds=HASH_ROUNDS) as (app, supervisor),
        _serve_app(app, [listener], settings, linger=0),
    ):
        yield Https(app, listener.getsockname()[1], issued.trusting())
    assert not supervisor.failed.done(), supervisor.failed.result()


class ClientTls:
    """A client's TLS without a connection, to do what asyncio's does not."""

    def __init__(self, trusting: ssl.SSLContext) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = trusting.wrap_bio(self.incoming, self.outgoing, server_hostname="localhost")

    def encrypt(self, data: bytes) -> bytes:
        self.tls.write(data)
        return self.outgoing.read()

    def close(self) -> bytes:
        """What says that no more comes."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self.outgoing.read()

    def decrypt(self, data: bytes) -> bytes:
        self.incoming.write(data)
        found = b""
        with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            while more := self.tls.read(1 << 16):
                found += more
        return found


async def shake_hands(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, trusting: ssl.SSLContext
) -> ClientTls:
    """A client's TLS after its handshake."""
    made = ClientTls(trusting)
    while True:
        try:
            made.tls.do_handshake()
        except ssl.SSLWantReadError:
            writer.write(made.outgoing.read())
            made.incoming.write(await reader.read(1 << 16))
        else:
            writer.write(made.outgoing.read())
            return made


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> Issued:
    return issue(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
async def https(template: TestDatabase, issued: Issued) -> AsyncIterator[Https]:
    with cloned(template) as database:
        async with serving_https(database, issued) as service:
            yield service


@pytest.fixture
async def hasty(database: TestDatabase, issued: Issued, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Https]:
    """A service that waits less long than it would."""
    monkeypatch.setattr(tls_handshake, "HANDSHAKE_DEADLINE", 0.5)
    monkeypatch.setattr(write_backlog, "WRITE_DEADLINE", 1.0)
    async with serving_https(database, issued) as service:
        yield service


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_every_kind_of_request_is_answered_on_one_connection(
    https: Https, issued: Issued, version: ssl.TLSVersion
) -> None:
    trusting = issued.trusting()
    trusting.minimum_version = trusting.maximum_version = version
    asked = [
        (request(POLL, *LINES), 200),  # from its bytes
        (request(POLL, *LINES), 200),  # as a repeated poll
        (request("/user/1795", *LINES), 200),  # by a task
        (request("/api/v1/login", JSON, method="POST", body=LOGIN), 200),
        (request("/nowhere"), 404),
        (request(POLL), 401),
    ]
    async with line_to(https.port, trusting) as (reader, writer):
        for data, status in asked:
            writer.write(data)
            assert (await answer_on(reader)).status == status, data
        writer.write(b"".join(data for data, _ in asked))
        assert [(await answer_on(reader)).status for _ in asked] == [status for _, status in asked]
        writer.write(request("/livez") * 40)  # more than aiohttp takes at once
        assert {(await answer_on(reader)).status for _ in range(40)} == {200}


async def test_a_poll_that_comes_in_small_records_is_answered(https: Https) -> None:
    data = request(POLL, *LINES)
    async with line_to(https.port, https.trusting) as (reader, writer):
        for start in range(0, len(data), 7):
            writer.write(data[start : start + 7])
        assert (await answer_on(reader)).status == 200


async def test_a_large_response_arrives_whole(database: TestDatabase, issued: Issued) -> None:
    await database.execute(MANY, 5000)
    async with serving_https(database, issued) as service, line_to(service.port, service.trusting) as (reader, writer):
        writer.write(request("/api/v1/connector.extension.list?count=0", *LINES, "Connection: close"))
        answer = await answer_on(reader)
        assert len(answer.json["extensions"]) > 5000
        assert await rest_of(reader) == b""


async def test_a_client_of_the_standard_library_believes_the_certificate_only_by_its_own_name(
    https: Https, issued: Issued
) -> None:
    def status(host: str) -> int:
        connection = http.client.HTTPSConnection(host, https.port, context=issued.trusting(), timeout=10)
        connection.request("GET", "/livez")
        return connection.getresponse().status

    assert await asyncio.to_thread(status, "localhost") == 200
    with pytest.raises(ssl.SSLCertVerificationError, match="not valid for"):
        await asyncio.open_connection("127.0.0.1", https.port, ssl=issued.trusting(), server_hostname="pbx.example.com")


async def test_a_stream_of_events_flows_and_ends_with_its_reader(https: Https) -> None:
    async with line_to(https.port, https.trusting) as (reader, writer):
        writer.write(request(STREAM, *LINES))
        assert b" 200 " in await reader.readuntil(b"\r\n\r\n")
        assert b"event:" in await asyncio.wait_for(reader.readuntil(b"event:"), 10)


async def test_a_client_that_closes_its_side_of_tls_still_gets_its_answer(https: Https, issued: Issued) -> None:
    async with line_to(https.port) as (reader, writer):
        tls = await shake_hands(reader, writer, issued.trusting())
        writer.write(tls.encrypt(request("/user/1795", *LINES)) + tls.close())
        assert tls.decrypt(await rest_of(reader)).startswith(b"HTTP/1.1 200 OK\r\n")


async def test_a_record_that_was_changed_on_the_way_ends_the_connection(https: Https) -> None:
    async with line_to(https.port) as (reader, writer):
        tls = await shake_hands(reader, writer, https.trusting)
        data = bytearray(tls.encrypt(request(POLL, *LINES)))
        data[-1] ^= 1
        writer.write(data)
        assert b"HTTP" not in tls.decrypt(await rest_of(reader))


@pytest.mark.parametrize("data", [request(POLL, *LINES), request("/api/v1/login", JSON, method="POST", body=LOGIN)])
async def test_http_without_tls_is_told_so_and_closed(https: Https, data: bytes) -> None:
    async with line_to(https.port) as (reader, writer):
        writer.write(data)
        answer = await answer_on(reader)
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        assert b"https://" in answer.body
        assert await rest_of(reader) == b""


async def test_what_is_no_tls_is_closed_and_counted(https: Https) -> None:
    certificate = https.app[SERVED_CERTIFICATE]
    before = certificate.failed_handshakes
    async with line_to(https.port) as (reader, writer):
        writer.write(bytes(range(256)) * 10)
        await rest_of(reader)
    assert certificate.failed_handshakes == before + 1


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01\x02\x00"], ids=["nothing", "the beginning of a handshake"])
async def test_a_handshake_that_stops_is_closed_at_its_deadline(hasty: Https, sent: bytes) -> None:
    connections = hasty.app[CONNECTION_LIMIT]
    async with line_to(hasty.port) as (reader, writer):
        writer.write(sent)
        await eventually(lambda: len(connections) == 1, what="it counts as a connection")
        assert await rest_of(reader, within=10) == b""
    await eventually(lambda: len(connections) == 0, what="it counts no more")


async def test_a_handshake_that_drips_has_the_same_deadline(hasty: Https) -> None:
    async with line_to(hasty.port) as (reader, writer):
        closed = asyncio.create_task(rest_of(reader, within=10))
        for byte in b"\x16\x03\x01\x02\x00" + bytes(500):
            writer.write(bytes([byte]))
            if (await asyncio.wait([closed], timeout=0.05))[0]:
                break
        assert closed.done()


async def test_handshakes_that_stop_take_no_place_from_others(https: Https) -> None:
    connections = https.app[CONNECTION_LIMIT]
    before, connections.max_connections = connections.max_connections, 8
    try:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(20):
                await stack.enter_async_context(line_to(https.port))
            async with line_to(https.port, https.trusting) as (reader, writer):
                writer.write(request(POLL, *LINES))
                assert (await answer_on(reader)).status == 200
                assert len(connections) <= 9  # the newest counts twice for a moment
    finally:
        connections.max_connections = before


async def test_an_open_handshake_counts_for_the_address_of_its_client(https: Https) -> None:
    connections = https.app[CONNECTION_LIMIT]
    async with line_to(https.port):
        await eventually(lambda: connections._per_place[prefix("127.0.0.1")] >= 1)


async def test_a_client_that_reads_nothing_is_counted_and_let_go(
    database: TestDatabase, issued: Issued, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(write_backlog, "WRITE_DEADLINE", 1.0)
    await database.execute(MANY, 20_000)
    async with serving_https(database, issued) as service:
        backlog = service.app[WRITE_BACKLOG]
        line = socket.socket()
        line.setblocking(False)
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", service.port))
        reader, writer = await asyncio.open_connection(sock=line)
        tls = await shake_hands(reader, writer, service.trusting)
        reader._transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(tls.encrypt(request("/api/v1/connector.extension.list?count=0", *LINES)))
        await eventually(lambda: backlog.bytes > 1 << 20, what="its unsent bytes count")
        await eventually(lambda: backlog.aborted == 1, what="its connection is aborted")
        assert backlog.bytes == 0
        writer.transport.abort()
