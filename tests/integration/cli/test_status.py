"""`status` as an operator runs it, with a service of its own, with none, and with something else at its port."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from local import ports
from service.web.openapi.examples import EXAMPLES
from tests.support.command_line import ROOT, Done, command, environment, process_environment
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.served import Served, served

COLUMNS = "extension user call server state live since devices address client presence why"
Status = Callable[..., Awaitable[Done]]


@contextlib.asynccontextmanager
async def running(database: TestDatabase, folder: Path, **values: str) -> AsyncIterator[tuple[Served, Status]]:
    """A service, and the command with the same settings."""
    values["HTTP_PORT"] = str(ports.free_port())
    async with served(database, folder, **values) as service:

        async def status(*arguments: str) -> Done:
            return await asyncio.to_thread(command, environment(database, **values), "status", *arguments)

        if values.get("HTTP_HOST", "127.0.0.1") in ("127.0.0.1", "0.0.0.0", "localhost"):
            await service.answers()
        yield service, status


def words(text: str) -> list[str]:
    return [" ".join(line.split()) for line in text.splitlines()]


async def test_everybody_is_listed_with_a_line_for_each_call_server(template: TestDatabase, tmp_path: Path) -> None:
    async with running(template, tmp_path) as (_, status):
        done = await status()
        assert (done.returncode, done.stderr) == (0, "")
        head, first, second, blank, summary = words(done.stdout)
        assert head == COLUMNS
        assert first.startswith("12342 dnhai main Unknown no 20")
        assert first.endswith("Z PJSIP/12342 - - not_set call-server-unreachable")
        assert second.startswith("12343 agent2 main Unknown no")
        assert blank == ""
        assert summary.startswith("main (managed): ")
        assert "2 extensions, 0 live, 0 registered. AMI at 127.0.0.1:9 is out of reach: " in summary
        assert summary.endswith("or mend AMI_HOST and AMI_PORT.")

        done = await status("--not-live", "--state", "unknown", "--call-server", "main", "--json")
        found = json.loads(done.stdout)
        assert [row["extension"] for row in found["extensions"]] == ["12342", "12343"]
        assert found["callServers"][0]["reason"]["code"] == "call-server-unreachable"
        for filters in (("--state", "In Use"), ("--call-server", "east")):
            assert words((await status(*filters)).stdout)[:2] == [COLUMNS, ""]


async def test_one_is_shown_with_its_devices_and_the_next_step(template: TestDatabase, tmp_path: Path) -> None:
    async with running(template, tmp_path) as (_, status):
        done = await status("12342")
        assert (done.returncode, done.stderr) == (0, "")
        shown = words(done.stdout)
        assert "user dnhai" in shown
        assert "why call-server-unreachable" in shown
        assert next(line for line in shown if line.startswith("AMI at 127.0.0.1:9")).endswith("AMI_HOST and AMI_PORT.")
        columns = "device phone kind label state live counted registrations last fetched auth username missing"
        assert columns in shown
        assert "PJSIP/12342 1 other - Unknown no yes - - 12342 no" in shown
        assert json.loads((await status("12342", "--json")).stdout)["extension"]["username"] == "dnhai"

        done = await status("no such; extension\x1b[31m")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: there is no extension 'no such; extension\\x1b[31m'\n"


async def test_phones_are_shown_with_their_last_fetch(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute(
        """insert into phones (call_server, endpoint, extension, auth_username, secret, profile, kind, label) values
               ('main', '12342.aaaaaa', '12342', '12342.aaaaaa', 'secret-of-a-test', 'sip', 'linphone', 'Mobile'),
               ('main', '12342.bbbbbb', '12342', '12342.bbbbbb', 'secret-of-a-test', 'sip', 'linphone', 'Tablet');
           insert into phone_activity select phone_id, '2026-11-22T09:30:00Z', '192.0.2.17' from phones
           where endpoint = '12342.aaaaaa'"""
    )
    async with running(database, tmp_path) as (_, status):
        shown = words((await status("12342")).stdout)
        fetched = "2026-11-22T09:30:00Z from 192.0.2.17"
        assert f"PJSIP/12342.aaaaaa 3 linphone Mobile Unknown no yes - {fetched} 12342.aaaaaa no" in shown
        assert "PJSIP/12342.bbbbbb 4 linphone Tablet Unknown no yes - never fetched 12342.bbbbbb no" in shown


async def test_without_a_service_it_says_so_and_shows_what_is_stored(template: TestDatabase) -> None:
    port = str(ports.free_port())
    done = await asyncio.to_thread(command, environment(template, HTTP_PORT=port), "status")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: no service answers at http://127.0.0.1:{port}: ")
    assert done.stderr.count("\n") == 1
    assert words(done.stdout) == [
        "extension call_server enabled username user_active endpoints",
        "12342 main yes dnhai yes 12342",
        "12343 main yes agent2 yes 12343",
    ]
    for arguments, found in ((("--call-server", "east"), []), ((), ["12342", "12343"])):
        done = await asyncio.to_thread(command, environment(template, HTTP_PORT=port), "status", *arguments, "--json")
        assert [row["extension"] for row in json.loads(done.stdout)["extensions"]] == found
    done = await asyncio.to_thread(command, environment(template, HTTP_PORT=port), "status", "12343", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["extension"]["live"] is None
    assert json.loads(done.stdout).keys() == EXAMPLES["getStatusByExtension"]["answer"].keys()
    assert json.loads(done.stdout)["extension"].keys() == EXAMPLES["getStatusByExtension"]["answer"]["extension"].keys()
    done = await asyncio.to_thread(command, environment(template, HTTP_PORT=port), "status", "9")
    assert (done.returncode, done.stdout) == (1, "")


async def test_with_workers_and_with_a_port_for_operators_it_finds_them(template: TestDatabase, tmp_path: Path) -> None:
    values = {"METRICS_PORT": str(ports.free_port()), "WORKERS": "2", "HTTP_HOST": "0.0.0.0", "ALLOW_DEMO": "true"}
    async with running(template, tmp_path, **values) as (service, status):
        assert (await service.get("/status")).status == 404
        done = await status("--json")
        assert (done.returncode, done.stderr) == (0, "")
        assert len(json.loads(done.stdout)["extensions"]) == 2


async def test_it_needs_no_token_where_the_service_listens_on_another_address(
    template: TestDatabase, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.connect(("192.0.2.1", 9))  # sends nothing, and tells which address would be used
        address = one.getsockname()[0]
    async with running(template, tmp_path, HTTP_HOST=address, ALLOW_DEMO="true") as (_, status):
        done: Done | None = None

        async def there() -> bool:
            nonlocal done
            done = await status("12342")
            return done.returncode == 0

        await eventually(there, 40, "it answers")
        assert done is not None
        assert "why call-server-unreachable" in words(done.stdout)


async def test_a_reader_that_has_seen_enough_is_no_error(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute(
        "insert into extensions (extension, call_server) select n::text, 'main' from generate_series(20001, 23000) n"
    )
    async with running(database, tmp_path) as (service, _):
        variables = process_environment(environment(database, HTTP_PORT=str(service.port)))

        def first_line() -> tuple[bytes, bytes]:
            with subprocess.Popen(
                [sys.executable, "-m", "service", "status"],
                cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            ) as process:  # fmt: skip
                assert process.stdout is not None
                assert process.stderr is not None
                line = process.stdout.readline()
                process.stdout.close()
                return line, process.stderr.read()

        line, errors = await asyncio.to_thread(first_line)
        assert words(line.decode()) == [COLUMNS]
        assert errors == b""
        done = await asyncio.to_thread(command, environment(database, HTTP_PORT=str(service.port)), "status", "--json")
        assert len(json.loads(done.stdout)["extensions"]) == 3002


PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
NOT_FOUND = b'HTTP/1.1 404 Not Found\r\nContent-Length: 30\r\n\r\n{"error":"Resource not found"}'
OTHERS: list[tuple[bytes, str]] = [
    (PLAIN, "is not this service, or another release: status 200"),
    (NOT_FOUND, "is not this service, or another release: status 404"),
    (b"SSH-2.0-OpenSSH_9.2\r\n", "no service answers at"),
    (b"", "no service answers at"),
]


@pytest.mark.parametrize(("answer", "error"), OTHERS)
async def test_what_is_not_the_service_is_told_in_one_line(template: TestDatabase, answer: bytes, error: str) -> None:
    async def other(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    server = await asyncio.start_server(other, "127.0.0.1", 0)
    async with server:
        port = str(server.sockets[0].getsockname()[1])
        done = await asyncio.to_thread(command, environment(template, HTTP_PORT=port), "status")
    assert done.returncode == 1
    assert error in done.stderr
    assert done.stderr.count("\n") == 1
    assert len(done.stdout.splitlines()) == 3


async def test_a_service_that_drips_its_answer_is_left_at_the_deadline(
    template: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from service.cli import service_client

    monkeypatch.setattr(service_client, "ANSWER_DEADLINE", 0.5)
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            while True:
                writer.write(b" ")
                await writer.drain()
                await asyncio.sleep(0.05)
        ended.set()

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    async with server:
        client = service_client.ServiceClient(template.settings(http_port=server.sockets[0].getsockname()[1]))
        with pytest.raises(service_client.NoAnswer, match="no response within the deadline"):
            await client.get("/status")
        await asyncio.wait_for(ended.wait(), 15)
