"""The whole way through a process of its own, on uvloop and on asyncio's own loop: both answer the same."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from service.cli.demo import ADMIN_TOKEN
from tests.support.database import TestDatabase
from tests.support.raw import answer_on, line_to, request
from tests.support.served import Clients, Served, served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION

TOKEN = f"X-Auth-Token: {ADMIN_TOKEN}"
HEADERS = [f"{name}: {value}" for name, value in ADMIN.items()]
JSON = "Content-Type: application/json"


@pytest.fixture(params=["uvloop", "asyncio"])
def loop(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Which loop; its name is also that of the folder in which Python looks for modules first."""
    name: str = request.param
    (tmp_path / name).mkdir()
    if name == "uvloop":
        pytest.importorskip("uvloop")
    else:
        (tmp_path / name / "uvloop.py").write_text('raise ImportError("hidden from this process")\n')
    return name


async def login(service: Served, password: str) -> tuple[int, dict[str, str]]:
    body = json.dumps({"user": "dnhai", "password": password}).encode()
    answer = await service.ask(request("/api/v1/login", JSON, method="POST", body=body))
    return answer.status, answer.json.get("data", {})


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_every_family_answers_and_it_ends_well(
    database: TestDatabase, tmp_path: Path, loop: str, workers: str
) -> None:
    settings = {"WORKERS": workers, "HTTP_HOST": "localhost", "REQUESTS_PER_MINUTE": "1000000"}
    async with served(database, tmp_path, tmp_path / loop, **settings) as service:
        await service.answers()
        assert f'"loop": "{loop}"' in service.log

        body = json.dumps({"id": AGENT_UID}).encode()
        info = await service.ask(request(REGISTRATION, *HEADERS, JSON, body=body))
        assert (info.status, info.json["extensionDetails"]["extension"]) == (200, "12342")
        tag = f"If-None-Match: {info.headers['etag']}"
        assert (await service.get(f"{REGISTRATION}?id={AGENT_UID}", *HEADERS, tag)).status == 304

        user = await service.get("/v1//user/1795", TOKEN)
        assert (user.status, user.json["payload"]["user_id"]) == (200, 1795)
        assert (await service.get("/user/0", TOKEN)).status == 404

        assert (await login(service, "wrong"))[0] == 401
        status, data = await login(service, "demo-agent-password")
        assert status == 200
        own = [f"X-Auth-Token: {data['authToken']}", f"X-User-Id: {data['userId']}"]
        assert (await service.get("/api/v1/me", *own)).json["username"] == "dnhai"
        assert (await service.get("/api/v1/logout", *own)).status == 200
        assert (await service.get("/livez")).json == {"status": "alive"}
        assert (await service.get("/readyz")).json["status"] == "degraded"
        assert "connector_requests_total" in await service.metrics()
        assert (await service.ask(b"nonsense\r\n\r\n")).status == 400

        for target in (f"{REGISTRATION}?id={AGENT_UID}", "/v1/user/1795"):  # a client that says nothing more
            async with line_to(service.port) as (reader, writer):
                writer.write(request(target, *HEADERS))
                writer.write_eof()
                assert (await answer_on(reader)).status == 200
                assert await reader.read() == b""

        clients = Clients(service.port)
        async with clients.asking(8):
            await clients.answered(100)
            service.process.send_signal(signal.SIGTERM)
            assert await service.ended() == 0
        assert (set(clients.statuses), clients.failures) == ({200}, [])
        assert "Traceback" not in service.log
