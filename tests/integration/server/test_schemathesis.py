"""schemathesis finds nothing: asked right and wrong, every operation answers as it is described, never with a 5xx.

Against a real PostgreSQL and a real Asterisk, as an admin and as an agent. Logging out ends the token that asks, so it
has a run of its own. The stream never ends by itself: one test here reads its first event and what refuses it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from local import asterisk_programs
from local.asterisk_programs import Programs
from tests.support.fuzzing import fuzz
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, AGENT_UID, Server, serving

STREAM = ("--exclude-path", "/api/v1/presence/stream")
LOGOUT = "/api/v1/logout"
pytestmark = pytest.mark.timeout(300)  # thousands of requests: 40 s on an idle machine


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: what is asked here is HTTP."""
    return asterisk_programs.find()


@pytest.fixture(scope="module")
async def fuzzed(pbx: Pbx) -> AsyncIterator[Server]:
    """A service whose limits are not met by thousands of questions a minute, and that checks passwords in no time."""
    reached = {"host": "127.0.0.1", "websocket_port": pbx.asterisk.config.http_port, "websocket_scheme": "ws"}
    settings = pbx.settings(**reached, requests_per_minute=10**9, login_failures_per_minute=10**9, token_days=3650)
    async with serving(settings) as server:
        await server.shows("Unavailable", AGENT_UID, within=30)
        yield server


async def test_as_an_admin(fuzzed: Server, tmp_path: Path) -> None:
    await fuzz(fuzzed, tmp_path, *STREAM, "--max-examples", "6", "--exclude-path", LOGOUT,
               "--exclude-path-regex", "^/v1/", headers=ADMIN)  # fmt: skip
    assert (await fuzzed.client.get("/api/v1/me", headers=ADMIN)).status == 200


async def test_as_an_admin_under_the_other_prefix(fuzzed: Server, tmp_path: Path) -> None:
    await fuzz(fuzzed, tmp_path, "--max-examples", "5", "--include-path-regex", "^/v1/",
               "--phases", "examples,fuzzing", headers=ADMIN)  # fmt: skip
    assert (await fuzzed.client.get("/api/v1/me", headers=ADMIN)).status == 200


async def test_as_an_agent(fuzzed: Server, tmp_path: Path) -> None:
    agent = await fuzzed.headers_of()
    await fuzz(fuzzed, tmp_path, *STREAM, "--max-examples", "5", "--exclude-path", LOGOUT,
               "--exclude-path-regex", "^/v1/", "--phases", "examples,fuzzing", headers=agent)  # fmt: skip
    assert (await fuzzed.client.get("/api/v1/me", headers=agent)).status == 200


async def test_a_token_that_logs_out(fuzzed: Server, tmp_path: Path) -> None:
    agent = await fuzzed.headers_of()
    await fuzz(fuzzed, tmp_path, "--max-examples", "2", "--include-path", LOGOUT, headers=agent)
    assert (await fuzzed.client.get("/api/v1/me", headers=agent)).status == 401


async def test_the_stream_begins_as_it_is_described(fuzzed: Server) -> None:
    description = await (await fuzzed.client.get("/openapi.json")).json()
    answers = description["paths"]["/api/v1/presence/stream"]["get"]["responses"]
    async with fuzzed.client.get("/api/v1/presence/stream", headers=ADMIN) as stream:
        assert stream.status == 200
        assert [stream.content_type] == list(answers["200"]["content"])
        lines = [await stream.content.readline() for _ in range(4)]
    assert [line.partition(b":")[0] for line in lines] == [b"retry", b"event", b"id", b"data"]
    for headers, status in (({}, 401), ({**ADMIN, "X-Auth-Token": "x"}, 401)):
        assert (await fuzzed.client.get("/api/v1/presence/stream", headers=headers)).status == status
    assert (await fuzzed.client.post("/api/v1/presence/stream", headers=ADMIN)).status == 405
    assert {"200", "401", "405", "429", "503"} <= set(answers)
