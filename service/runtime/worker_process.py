"""The processes of a pool: workers, and collectors beside them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Iterator

import msgspec
import structlog

from service.backoff import delays

log = structlog.get_logger(__name__)

FIRST_COLLECTOR = 0
COLLECTORS = (FIRST_COLLECTOR, -1)
"""The numbers of collectors: one runs, and both while one replaces the other."""


class WorkerProcess:
    """The parent's view of a worker."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.ended = asyncio.Event()
        self.missed_heartbeats = 0
        self.replaced = False
        """Whether it is stopped so that a new worker can replace it."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal if the process still runs."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


async def start_process(command: str, parameters: msgspec.Struct, descriptors: list[int]) -> Process:
    """Start `python -m service` in a session of its own, as the pool itself forwards Ctrl-C. Raises OSError."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service", command, msgspec.json.encode(parameters).decode()),
        stdin=DEVNULL,
        pass_fds=descriptors,
        start_new_session=True,
    )


def restart_delays_of(number: int) -> Iterator[float]:
    """Yield the seconds before each restart. A collector's first one is at once: without it no state is live."""
    return itertools.chain((0.0,) if number in COLLECTORS else (), delays())


async def stop_processes(*workers: WorkerProcess, deadline: float) -> None:
    """Shut workers down gracefully, and kill those that have not ended within `deadline` seconds."""
    for worker in workers:
        worker.send(signal.SIGTERM)
    try:
        async with asyncio.timeout(deadline):
            for worker in workers:
                await worker.ended.wait()
    except TimeoutError:
        for worker in workers:
            if not worker.ended.is_set():
                log.warning("worker_shutdown_timeout", pid=worker.process.pid)
                worker.send(signal.SIGKILL)
                await worker.ended.wait()
