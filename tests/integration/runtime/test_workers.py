"""Several processes on one port: who may die, and what clients notice of it. All real processes."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
from pathlib import Path
from urllib.parse import quote

import pytest

from local import ports
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import answer_on, line_to, request
from tests.support.served import STARTED, Clients, Served, running, served
from tests.support.server import ADMIN

MANY = "1000000"
PRESENCE = "/api/v1/presence"
HEADERS = [f"{name}: {value}" for name, value in ADMIN.items()]
JSON = "Content-Type: application/json"
LOGIN = json.dumps({"user": "dnhai", "password": "demo-agent-password"}).encode()
WRONG = json.dumps({"user": "dnhai", "password": "wrong"}).encode()


async def test_all_workers_answer_on_the_one_port(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path, WORKERS="2", REQUESTS_PER_MINUTE=MANY) as service:
        await service.has_up(2)
        assert len(service.workers()) == 2
        clients = Clients(service.port)
        async with clients.asking():
            await clients.answered()
        text = await service.metrics()
        per_worker = dict(
            re.findall(r'connector_requests_total\{[^}]*RegistrationInfo[^}]*worker="(\d)"\} ([\d.]+)', text)
        )
        assert {float(count) > 0 for count in per_worker.values()} == {True}
        assert set(per_worker) == {"1", "2"}
        assert sum(map(float, per_worker.values())) >= clients.statuses.total()
        assert (set(clients.statuses), clients.failures) == ({200}, [])
        assert {json.loads(line).get("worker") for line in service.log.splitlines() if "service_started" in line} == {
            1,
            2,
        }


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_no_request_fails_when_it_ends_under_load(database: TestDatabase, tmp_path: Path, workers: str) -> None:
    async with served(database, tmp_path, WORKERS=workers, REQUESTS_PER_MINUTE=MANY) as service:
        await service.answers()
        clients = Clients(service.port)
        async with clients.asking():
            await clients.answered(500)
            service.process.send_signal(signal.SIGTERM)
            assert await service.ended() == 0
        assert clients.failures == []
        assert set(clients.statuses) == {200}
        assert clients.refused > 0
        assert "Traceback" not in service.log


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_an_open_request_is_answered_before_it_ends(database: TestDatabase, tmp_path: Path, workers: str) -> None:
    async with served(database, tmp_path, WORKERS=workers) as service:
        await service.answers()
        async with line_to(service.port) as (reader, writer):
            data = request("/api/v1/login", JSON, method="POST", body=LOGIN)
            writer.write(data[:-1])
            await asyncio.wait_for(writer.drain(), 5)
            service.process.send_signal(signal.SIGTERM)
            await eventually(lambda: '"service_stopping"' in service.log, what="it is about to end")
            writer.write(data[-1:])
            answer = await answer_on(reader)
            assert (answer.status, answer.headers["connection"]) == (200, "close")
            with pytest.raises(ConnectionRefusedError):
                await service.poll()
        assert await service.ended() == 0


async def test_a_killed_worker_is_replaced_and_only_what_it_held_is_lost(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with served(database, tmp_path, WORKERS="2", REQUESTS_PER_MINUTE=MANY) as service:
        await service.has_up(2)
        before = service.workers()
        clients = Clients(service.port)
        async with clients.asking(count := 16):
            await clients.answered()
            os.kill(victim := min(before), signal.SIGKILL)
            await eventually(lambda: len(service.workers() - {victim}) == 2, STARTED, "another one is there")
            await clients.answered()
            await service.has_up(2)
        assert before - service.workers() == {victim}
        assert (set(clients.statuses), clients.refused) == ({200}, 0)
        assert len(clients.failures) <= count
        assert 'connector_worker_restarts_total{worker="' in await service.metrics()
        assert '"exit_code": -9' in service.log


async def test_a_worker_whose_loop_is_stuck_is_replaced(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path, WORKERS="2") as service:
        await service.has_up(2)
        os.kill(stuck := min(service.workers()), signal.SIGSTOP)
        await eventually(lambda: stuck not in service.workers(), what="it is killed")
        await service.has_up(2)
        assert "worker_unresponsive" in service.log


async def test_a_hangup_replaces_all_workers_and_no_request_fails(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path, WORKERS="2", REQUESTS_PER_MINUTE=MANY) as service:
        await service.has_up(2)
        before = service.workers()
        clients = Clients(service.port)
        async with clients.asking():
            service.process.send_signal(signal.SIGHUP)
            await eventually(lambda: "workers_reload_finished" in service.log, 2 * STARTED, "all are replaced")
            await clients.answered()
        assert (set(clients.statuses), clients.failures, clients.refused) == ({200}, [], 0)
        assert len(service.workers()) == 2
        assert not service.workers() & before


@pytest.mark.parametrize("moment", ["starting", "serving"])
async def test_a_killed_parent_leaves_no_worker(database: TestDatabase, tmp_path: Path, moment: str) -> None:
    async with served(database, tmp_path, WORKERS="2") as service:
        if moment == "serving":
            await service.has_up(2)
        workers = await eventually(service.workers, STARTED, "there are workers")
        service.process.kill()
        await eventually(lambda: not any(map(running, workers)), what="all have ended")
        with pytest.raises(ConnectionRefusedError):
            await service.poll()


async def test_what_keeps_the_first_worker_from_starting_is_told_once(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute("drop table service_keys")
    async with served(database, tmp_path, WORKERS="3") as service:
        assert await service.ended() == 2
        (line,) = service.log.splitlines()
        assert line.startswith("error: the service's role may not")
        assert "service_keys" in line


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_port_that_is_taken_is_told_in_one_line(database: TestDatabase, tmp_path: Path, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with served(database, tmp_path, WORKERS=workers, HTTP_PORT=str(port)) as service:
            assert await service.ended() == 2
            assert service.log.splitlines() == [f"error: cannot listen on 127.0.0.1:{port}: Address already in use"]


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_it_can_be_ended_while_it_waits_for_postgresql(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    nowhere = "postgresql://connector_service@127.0.0.1:9/nowhere"
    async with served(database, tmp_path, WORKERS=workers, DATABASE_URL=nowhere) as service:
        await eventually(lambda: "database_unavailable" in service.log, STARTED, "it waits")
        service.process.send_signal(signal.SIGTERM)
        assert await service.ended() == 0


async def test_the_metrics_port_tells_of_all_workers_and_the_public_one_nothing(
    database: TestDatabase, tmp_path: Path
) -> None:
    port = ports.free_port()
    async with served(database, tmp_path, WORKERS="2", METRICS_PORT=str(port)) as service:
        operators = Served(service.process, port, service.log_file)
        await operators.has_up(2)
        assert (await service.get("/metrics")).status == 404
        assert await service.poll() == 200


async def test_a_cursor_from_another_worker_is_answered_with_the_whole_picture(
    database: TestDatabase, tmp_path: Path
) -> None:
    async with served(database, tmp_path, WORKERS="2") as service:
        await service.has_up(2)
        cursor = (await service.get(PRESENCE, *HEADERS)).json["cursor"]
        seen: set[tuple[bool, int]] = set()

        async def both() -> bool:
            answer = (await service.get(f"{PRESENCE}?since={quote(cursor)}", *HEADERS)).json
            seen.add((answer["full"], len(answer["presence"])))
            return len(seen) == 2

        await eventually(both, what=f"both workers have answered: {seen}")
        assert seen == {(False, 0), (True, 2)}


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_streams_and_long_polls_hold_up_no_end(database: TestDatabase, tmp_path: Path, workers: str) -> None:
    async with served(database, tmp_path, WORKERS=workers, SHUTDOWN_DEADLINE="60") as service:
        await service.answers()
        cursor = (await service.get(PRESENCE, *HEADERS)).json["cursor"]
        async with line_to(service.port) as (stream, ask), line_to(service.port) as (polled, poll):
            ask.write(request(f"{PRESENCE}/stream", *HEADERS))
            await stream.readuntil(b"event: snapshot")
            poll.write(request(f"{PRESENCE}?wait=30&since={quote(cursor)}", *HEADERS))
            await eventually(lambda: _held(service, 2), what="both are held")
            service.process.send_signal(signal.SIGTERM)
            assert (await answer_on(polled)).status == 200
            await asyncio.wait_for(stream.read(), 20)
            assert await service.ended(within=40) == 0
        assert "worker_unresponsive" not in service.log
        assert "worker_shutdown_timeout" not in service.log


async def _held(service: Served, count: int) -> bool:
    held = re.findall(r"connector_held_open(?:\{[^}]*\})? ([\d.]+)", await service.metrics())
    return sum(map(float, held)) == count


async def test_workers_share_the_limit_of_failed_logins(database: TestDatabase, tmp_path: Path) -> None:
    async with served(database, tmp_path, WORKERS="2", LOGIN_FAILURES_PER_MINUTE="3") as service:
        await service.has_up(2)
        statuses = [
            (await service.ask(request("/api/v1/login", JSON, method="POST", body=WRONG))).status for _ in range(16)
        ]
        # 3 in 2 workers: 2 each
        assert 2 <= statuses.count(401) <= 4
        assert set(statuses) == {401, 429}
