"""A service with few files, and more clients than it has room for."""

from __future__ import annotations

import asyncio
import contextlib
import random
import sys
from collections.abc import AsyncIterator
from functools import partial
from ipaddress import ip_network
from pathlib import Path

from service.web.server.connection_limit import ConnectionLimit
from tests.support.command_line import ROOT
from tests.support.cutter import Cutter, cutting
from tests.support.database import SERVICE
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.raw import answer_on, line_to
from tests.support.served import POLL, Served, served
from tests.support.server import ADMIN

FILES = 256
AGAIN_AFTER = 0.5
"""Seconds after which a client that was let go comes again: what is tested are files, not who gets the processor."""
CROWD = f"""
import asyncio, socket, sys
port, count = map(int, sys.argv[1:])

async def stay():
    loop = asyncio.get_running_loop()
    while True:
        with socket.socket() as line:
            line.setblocking(False)
            try:
                await loop.sock_connect(line, ("127.0.0.1", port))
                await loop.sock_recv(line, 1)
            except OSError:
                pass
        await asyncio.sleep({AGAIN_AFTER})

async def stay_all():
    await asyncio.gather(*(stay() for _ in range(count)))

asyncio.run(stay_all())
"""
LINES = tuple(f"{name}: {value}" for name, value in ADMIN.items())


@contextlib.asynccontextmanager
async def crowd(port: int, count: int) -> AsyncIterator[None]:
    """Clients that come and say nothing, and come again when they are let go.

    They have a process of their own: in this one, whoever asks would send its request only after all of them had their
    turn, and be let go for one that says nothing.
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", CROWD, str(port), str(count))
    try:
        yield
        assert process.returncode is None
    finally:
        process.kill()
        await process.wait()


def open_files(service: Served) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


async def test_with_256_files_a_crowd_keeps_nobody_from_anything(pbx: Pbx, tmp_path: Path) -> None:
    """Neither clients who ask from their answers, nor the service from Asterisk and PostgreSQL once these are lost."""
    config, server = pbx.asterisk.config, pbx.database.server
    async with cutting(config.ami_port) as ami, cutting(server.port) as postgres:
        url = server.url(SERVICE, pbx.database.name).replace(f":{server.port}/", f":{postgres.port}/")
        settings = {
            "DATABASE_URL": url,
            "CALL_SERVERS__MAIN__AMI_PORT": str(ami.port),
            "CALL_SERVERS__MAIN__MONITOR_SECRET": config.monitor_secret,
            "REQUESTS_PER_MINUTE": "1000000",
        }
        async with served(pbx.database, tmp_path, None, ROOT, FILES, **settings) as service:
            await eventually(lambda: is_ready(service), 60, "it is ready")
            async with line_to(service.port) as (reader, writer), crowd(service.port, 500):
                await eventually(lambda: open_files(service) > FILES // 2, what="they are there")
                for _ in range(3):
                    before = ami.asked, postgres.asked
                    ami.cut()
                    postgres.cut()
                    await eventually(partial(came_again, ami, postgres, before), 60, "both are asked again")
                    await eventually(lambda: is_ready(service), 60, "it is ready again")
                    await eventually(lambda: answers(service), 60, "it answers from PostgreSQL and from memory")
                writer.write(POLL)  # this one was here before, and at rest
                with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                    assert (await answer_on(reader)).status == 200
            assert "Too many open files" not in service.log
            assert "connection_limit_reached" in service.log
            assert "Traceback" not in service.log


async def answers(service: Served) -> bool:
    """Whether it does; the limit may have let this very client go."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        return (await service.get("/user/1795", *LINES)).status == 200 and await service.poll() == 200
    return False


async def is_ready(service: Served) -> bool:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        return bool((await service.get("/readyz")).json == {"status": "ready"})
    return False


def came_again(ami: Cutter, postgres: Cutter, before: tuple[bytearray, bytearray]) -> bool:
    """Whether there are newer connections to both."""
    return ami.asked is not before[0] and postgres.asked is not before[1]


class Resting:
    """A connection, as the limit sees it."""

    def __init__(self, limit: ConnectionLimit, address: str, since: float | None) -> None:
        self.place, self.number, self.since, self.gone = limit.place_of(address), -1, since, False
        limit.add(self)

    def idle_since(self) -> float | None:
        return self.since

    def force_close(self) -> None:
        self.gone = True


def test_whoever_has_the_most_makes_room_and_a_trusted_proxy_goes_last() -> None:
    random.seed(1)
    limit = ConnectionLimit([ip_network("10.0.0.0/8")])
    limit.max_connections = 19
    office = [Resting(limit, "192.0.2.1", number) for number in range(3)]
    proxy = [Resting(limit, "10.1.1.1", 0.0) for _ in range(8)]
    flood = [Resting(limit, f"2001:db8::{number:x}", 100.0 + number) for number in range(8)]
    for number in range(5):
        assert limit.has_room()
        assert [one.gone for one in flood].count(True) == number + 1  # until they are as few as others
        Resting(limit, "198.51.100.7", None)
    assert flood[0].gone  # the longest at rest first
    assert not any(one.gone for one in (*office, *proxy))


def test_where_nobody_rests_there_is_no_room_and_every_end_counts_once() -> None:
    limit = ConnectionLimit([])
    limit.max_connections = 2
    clients = [Resting(limit, "192.0.2.1", None) for _ in range(2)]
    assert not limit.has_room()
    for _ in range(2):
        limit.remove(clients[0])
    assert (len(limit), limit.has_room()) == (1, True)
    limit.remove(clients[1])
    assert (len(limit), dict(limit._per_place)) == (0, {})
