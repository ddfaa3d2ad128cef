"""Faults of clients, and of the proxy that they come through."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys

from tests.integration.faults.scene import Cause, Scene, fault, once
from tests.support.raw import request
from tests.support.served import POLL

AUDIT = "python -m service audit list --action"
FILES = 256
CONNECTIONS = 300
CROWD = """
import socket, sys
lines = []
while True:
    line = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    lines = [*lines[-int(sys.argv[2]):], line]
"""


def guess(*headers: str) -> bytes:
    wrong = json.dumps({"user": "dnhai", "password": "wrong"}).encode()
    return request("/api/v1/login", "Content-Type: application/json", *headers, method="POST", body=wrong)


@fault("somebody guesses passwords", "ConnectorLoginsRefused", "login_refused", f"{AUDIT} login.refused", "127.0.0.1")
async def guessed_passwords(scene: Scene) -> Cause:
    service = await scene.start()
    return lambda: service.ask(guess())


@fault(
    "the proxy has moved to an address that the settings do not trust",
    "ConnectorLoginsRefused",
    "login_refused",
    f"{AUDIT} login.refused",
    "127.0.0.1",
)
async def moved_proxy(scene: Scene) -> Cause:
    """People behind it mistype their passwords now and then. All of them seem to have the proxy's address."""
    service = await scene.start(TRUSTED_PROXIES='["127.0.0.9"]', ALLOW_DEMO="true")
    people = itertools.cycle(range(1, 255))

    async def mistype() -> None:
        address = f"198.51.100.{next(people)}"
        await service.ask(guess(f"X-Forwarded-For: {address}"))
        assert address not in service.log

    return mistype


@fault("tokens have expired", "ConnectorTokensRefused", "token_refused", f"{AUDIT} token.refused", "127.0.0.1")
async def expired_tokens(scene: Scene) -> Cause:
    service = await scene.start()
    assert await service.poll() == 200
    await scene.database.execute("update tokens set expires_at = now() - interval '1 minute'")

    async def poll() -> None:
        for _ in range(100):
            await service.ask(POLL)

    return poll


@fault(
    "a flood of connections",
    "ConnectorConnectionsDisplaced",
    "connection_limit_reached",
    "curl --fail http://127.0.0.1:8080/metrics",
    "connector_connections_displaced_total",
)
async def flood(scene: Scene) -> Cause:
    service = await scene.start(FILES)

    async def crowd() -> None:
        arguments = ["-c", CROWD, str(service.port), str(CONNECTIONS)]
        process = await asyncio.create_subprocess_exec(sys.executable, *arguments)
        scene.stack.push_async_callback(ended, process)

    return once(crowd)


async def ended(process: asyncio.subprocess.Process) -> None:
    process.kill()
    await process.wait()
