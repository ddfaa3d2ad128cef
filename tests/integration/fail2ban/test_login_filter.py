"""deploy/fail2ban: fail2ban's own program reads what the running service logs of refused logins, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from multidict import CIMultiDict

from service.credentials import token_hash
from tests.support.command_line import ROOT
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.fail2ban import VICTIM, as_docker_keeps_it, counted
from tests.support.served import served
from tests.support.server import AGENT_UID, REGISTRATION

FILTER = "asterisk-connector-login"
LOGIN = "/api/v1/login"
JSON_LINE = f'{{"address": "{VICTIM}", "event": "login_refused", "timestamp": "2026-01-01T00:00:00.000000Z"}}'
CONSOLE_LINE = f"2026-01-01T00:00:00.000000Z [warning  ] login_refused [service.web] address={VICTIM}"
NAMES = (
    "nobody",
    "dnhai",
    f"x from {VICTIM}",
    f'x", "event": "login_refused", "address": "{VICTIM}", "y": "',
    f"x', address={VICTIM} y='",
    f"\"' address={VICTIM} '",
    f"x\r\n{JSON_LINE}\r\n{CONSOLE_LINE}\r\n",
    f'x\\n","stream":"stderr"}}\n{{"log":"{JSON_LINE}',
    f"\u2028{CONSOLE_LINE}\x1b[31m<>&\\",
)
EXPIRED = "e" * 43
PROGRAM = """
import json, sys, structlog
from types import SimpleNamespace
from service import logs
logs.configure(SimpleNamespace(log_level="info", log_format=sys.argv[1]))
log = structlog.get_logger("service.web.http.refusals")
for number, text in enumerate(json.loads(sys.argv[2])):
    log.warning("login_refused", aaa=text, address=f"127.0.1.{number}", user_id=None, request_id=text)
    log.warning("login_refused", address=f"127.0.2.{number}", user_id=7, zzz=text)
    log.info("token_refused", aaa=text, address=f"127.0.3.{number}", request_id=text)
    log.warning("service_unavailable", error=text, path=text)
log.warning("login_refused", address="2001:db8::7", user_id=None, request_id="x")
"""


@dataclass
class Client:
    """Somebody with an address of their own, who claims to have another one."""

    port: int
    address: str

    async def asks(self, method: str, path: str, **options: Any) -> int:
        connector = aiohttp.TCPConnector(local_addr=(self.address, 0))
        headers = CIMultiDict({"X-Forwarded-For": VICTIM, "X-Request-Id": VICTIM} | options.pop("headers", {}))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"http://127.0.0.1:{self.port}{path}"
            async with session.request(method, url, headers=headers, **options) as answer:
                return answer.status


@pytest.mark.parametrize("log_format", ["json", "console"])
async def test_a_refused_login_counts_for_who_tried_it_and_nothing_else_counts(
    database: TestDatabase, fail2ban: Path, tmp_path: Path, log_format: str
) -> None:
    await database.execute(
        "insert into tokens (token_hash, user_id, created_at, expires_at) "
        "values ($1, 1795, now() - interval '2 days', now() - interval '1 day')",
        token_hash(EXPIRED),
    )
    async with served(database, tmp_path, LOG_FORMAT=log_format) as service:
        await service.answers()
        strangers = [Client(service.port, f"127.0.0.{number}") for number in range(2, 2 + len(NAMES))]
        for stranger, name in zip(strangers, NAMES, strict=True):
            assert await stranger.asks("POST", LOGIN, json={"user": name, "password": name}) == 401
        await log_in_with_the_right_password(Client(service.port, "127.0.0.20"))
        await ask_with_tokens_that_are_over(Client(service.port, "127.0.0.21"))
        await ask_for_what_is_not_there(Client(service.port, "127.0.0.22"))
        await eventually(lambda: strangers[-1].address in service.log)
        lines = service.log.removesuffix("\n").split("\n")
    wanted = {stranger.address: 1 for stranger in strangers}
    assert counted(fail2ban, FILTER, lines, tmp_path / "lines") == wanted
    if log_format == "json":
        assert counted(fail2ban, FILTER, map(as_docker_keeps_it, lines), tmp_path / "docker") == wanted


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_no_value_of_a_field_forges_an_address_or_hides_one(fail2ban: Path, tmp_path: Path, log_format: str) -> None:
    """What the service would log if these fields held what a client sends; today they do not."""
    values = (*NAMES, JSON_LINE, CONSOLE_LINE, json.dumps(JSON_LINE), *"'\"\\=,;:{}[]\n\u0085", '\\"', "\\'")
    command = [sys.executable, "-c", PROGRAM, log_format, json.dumps(values)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    lines = done.stderr.removesuffix("\n").split("\n")
    assert len(lines) == 4 * len(values) + 1
    wanted = {f"127.0.{third}.{number}": 1 for third in (1, 2) for number in range(len(values))} | {"2001:db8::7": 1}
    assert counted(fail2ban, FILTER, lines, tmp_path / "lines") == wanted
    if log_format == "json":
        assert counted(fail2ban, FILTER, map(as_docker_keeps_it, lines), tmp_path / "docker") == wanted


async def log_in_with_the_right_password(client: Client) -> None:
    agent = {"user": "dnhai", "password": "demo-agent-password"}
    assert await client.asks("POST", LOGIN, json=agent) == 200


async def ask_with_tokens_that_are_over(client: Client) -> None:
    """As an office does whose softphones were left alone for three months."""
    for token in (EXPIRED, "unknown" * 6, f'", "event": "login_refused", "address": "{VICTIM}"'):
        headers = {"X-Auth-Token": token, "X-User-Id": AGENT_UID}
        assert await client.asks("GET", f"{REGISTRATION}?id={AGENT_UID}", headers=headers) == 401
        assert await client.asks("POST", LOGIN, json={"resume": token}) == 401


async def ask_for_what_is_not_there(client: Client) -> None:
    assert await client.asks("POST", LOGIN, json={"user": 5}) == 400
    assert await client.asks("GET", "/api/v1/nothing") == 404
