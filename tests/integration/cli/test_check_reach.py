"""What `check` says to do when there is no AMI to log in to: another thing for each reason."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from local import ports
from service.ami import connection
from service.ami.diagnostics.checks import check
from service.ami.unreachable_reasons import UnreachableReason
from tests.support.database import TestDatabase, call_server
from tests.support.pbx import Pbx
from tests.support.scripted import Line, peer
from tests.support.stored import checked_extensions

CA = Path(__file__).parents[2] / "support/tls/ca.pem"


async def remedies(port: int, **values: Any) -> list[str | None]:
    server = call_server(ami_port=port, presence_secret="x", sync_secret="x", **values)
    return [finding.remedy async for finding in check("main", server, checked_extensions("12342"))]


async def closes(line: Line) -> None:
    """What Asterisk does above its `authlimit`: hang up before the greeting."""


async def greets(line: Line) -> None:
    line.say(b"SSH-2.0-OpenSSH_9.2\r\n")
    await line.action()


async def test_nobody_listens_or_the_name_is_wrong() -> None:
    for host in ("127.0.0.1", "localhost"):
        assert await remedies(ports.free_port(), ami_host=host) == [UnreachableReason.REFUSED.value]
    assert await remedies(5038, ami_host="no-such-host.invalid") == [UnreachableReason.UNKNOWN_HOST.value]


async def test_packets_get_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket whose queue of connections is full drops what else comes, as a firewall does."""
    monkeypatch.setattr(connection, "CONNECT_DEADLINE", 0.5)
    async with full() as port:
        assert await remedies(port) == [UnreachableReason.TIMEOUT.value]


@contextlib.asynccontextmanager
async def full() -> AsyncIterator[int]:
    with contextlib.ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        address = listening.getsockname()
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(address)
        yield address[1]


async def test_something_else_listens(pbx: Pbx, database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as hasty:
        hasty.setattr(connection, "CONNECT_DEADLINE", 0.5)
        for silent in (pbx.asterisk.config.http_port, database.server.port):
            assert await remedies(silent) == [UnreachableReason.SILENT.value]
    async with peer(greets) as port:
        assert await remedies(port) == [UnreachableReason.NOT_AMI.value]
    async with peer(closes) as port:
        assert await remedies(port) == [UnreachableReason.CLOSED.value]


async def test_tls_where_there_is_none(pbx: Pbx) -> None:
    assert await remedies(pbx.asterisk.config.ami_port, ami_tls=True, ami_ca_file=CA) == [
        UnreachableReason.NO_TLS.value
    ]
