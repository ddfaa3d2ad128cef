"""`python -m service serve` as other people run it: processes of its own. And clients that keep it busy."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import ssl
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

from local import ports
from local.child_process import child_pids
from local.server_process import spawn
from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.raw import RawAnswer, answer_on, line_to, raw, request
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION

POLL = request(f"{REGISTRATION}?id={AGENT_UID}", *(f"{name}: {value}" for name, value in ADMIN.items()))
STARTED = 60.0
"""Seconds that a start may take on a busy machine."""


@dataclass
class Served:
    """A service in processes of its own, its log in a file."""

    process: subprocess.Popen[bytes]
    port: int
    log_file: Path
    tls: ssl.SSLContext | None = None
    """What clients trust, if the port speaks HTTPS."""
    metrics_port: int | None = None
    """The port of the metrics, if they have one of their own. It speaks HTTP."""

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def workers(self) -> set[int]:
        """The process ids of its workers."""
        return {pid for pid in child_pids(self.process.pid) if b"\0worker\0" in _command(pid)}

    async def poll(self) -> int:
        """The status of a poll on a connection of its own."""
        return (await raw(self.port, POLL, tls=self.tls)).status

    async def ask(self, data: bytes) -> RawAnswer:
        return await raw(self.port, data, tls=self.tls)

    async def get(self, target: str, *headers: str) -> RawAnswer:
        return await raw(self.port, request(target, *headers), tls=self.tls)

    async def metrics(self) -> str:
        if self.metrics_port is None:
            return (await self.get("/metrics")).body.decode()
        return (await raw(self.metrics_port, request("/metrics"))).body.decode()

    async def answers(self, within: float = STARTED) -> None:
        """Wait until it answers."""

        async def there() -> bool:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(OSError):
                return (await self.get("/readyz")).status == 200
            return False

        await eventually(there, within, "it answers")

    async def has_up(self, count: int, within: float = STARTED) -> None:
        """Wait until exactly so many workers answer."""

        async def there() -> bool:
            return len(re.findall(r'connector_worker_up\{worker="\d+"\} 1\.0', await self.metrics())) == count

        await self.answers(within)
        await eventually(there, within, f"{count} workers are up; the log: {self.log}")

    async def ended(self, within: float = 60) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, within)


def _limited(files: int | None) -> list[str]:
    """What a command is started with, so that it may not open more files."""
    return [] if files is None else ["sh", "-c", f'ulimit -n {files}; exec "$@"', "sh"]


@contextlib.asynccontextmanager
async def served(
    database: TestDatabase,
    folder: Path,
    path: Path | None = None,
    root: Path = command_line.ROOT,
    files: int | None = None,
    /,
    **settings: str,
) -> AsyncIterator[Served]:
    """Start it; kill what is left of it at the end.

    `path` is a folder where Python looks for modules first, `root` the one where the service itself is, `files` how
    many it may open.
    """
    port = int(settings.setdefault("HTTP_PORT", str(ports.free_port())))
    variables = command_line.environment(database, **settings) | ({"PYTHONPATH": str(path)} if path else {})
    with (folder / "log").open("wb") as log:
        process = spawn(
            [*_limited(files), sys.executable, "-m", "service", "serve"],
            death_signal=signal.SIGKILL,
            log=log,
            environment=command_line.process_environment(variables),
            folder=root,
        )
    made = Served(process, port, folder / "log")
    try:
        yield made
    finally:
        left = made.workers()
        process.kill()
        process.wait()
        for pid in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, 9)


@dataclass
class Clients:
    """Clients that ask without a pause, half of them on a new connection each time. They never try again."""

    port: int
    statuses: Counter[int] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    refused: int = 0
    """Connections that nobody took: the socket is closed."""

    @contextlib.asynccontextmanager
    async def asking(self, count: int = 16) -> AsyncIterator[None]:
        """Ask until the block ends."""
        tasks = [asyncio.create_task(self._ask(keep=bool(number % 2))) for number in range(count)]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def answered(self, more: int = 200, within: float = 60) -> None:
        """Wait until so many more were answered."""
        wanted = self.statuses.total() + more
        await eventually(lambda: self.statuses.total() >= wanted, within, f"{wanted} answers, not {self.statuses}")

    async def _ask(self, keep: bool) -> None:
        while True:
            asked = 0
            connected = False
            try:
                async with line_to(self.port, self.tls) as (reader, writer):
                    connected, last = True, False
                    while not last:
                        writer.write(POLL)
                        answer = await answer_on(reader)
                        asked += 1
                        self.statuses[answer.status] += 1
                        last = not keep or answer.headers.get("connection") == "close"
            except (OSError, EOFError) as error:
                if not connected:
                    self.refused += 1
                    await asyncio.sleep(0.05)
                    continue
                self.failures.append(f"{error!r} after {asked} answers, keep={keep}")


def running(pid: int) -> bool:
    """Whether there is such a process, and it is not just waiting to be buried."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def _command(pid: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""
