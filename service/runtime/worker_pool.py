"""Several processes on one port: the parent opens the sockets, starts the workers and keeps them running.

The parent answers nothing itself and holds nothing that a worker could miss. Each worker is a fresh `python -m service`
with the same environment and a loop, links and a directory of its own. The first one starts alone: what keeps it from
being ready (a mistake in the settings, no PostgreSQL) is told once, and ends the parent with the same exit code.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from time import monotonic

import msgspec
import structlog

from service.backoff import delays
from service.runtime import signals
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import BEAT_EVERY, Place
from service.settings import Settings
from service.web.ops.worker_metrics import create_metrics_socket

log = structlog.get_logger(__name__)

SILENT_BEATS = 10
"""Signs of life that a worker may miss. Then its loop is taken for stuck, and it is killed: nothing else helps."""
STEADY = 30.0
"""Seconds that a worker must have run for its next start to be soon again."""
PATIENCE = 7.0
"""Seconds, after those that open requests have, in which a worker gives up its links and connections."""
START_PATIENCE = 2.0
"""Seconds in which a worker that is still starting must end."""


class WorkerProcess:
    """A worker as its parent sees it: one process."""

    def __init__(self, process: Process) -> None:
        self.process = process
        self.gone = asyncio.Event()
        self.missed_beats = 0
        self.renewed = False
        """Whether it ends because another one is to take its place."""

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)


class WorkerPool:
    """Owns the workers. `run` goes on until a signal that ends it; SIGHUP replaces them one by one."""

    def __init__(self, settings: Settings, sockets: Sockets) -> None:
        self._numbers = range(1, settings.workers + 1)
        self._patience = settings.shutdown_deadline + PATIENCE
        self._spawning = asyncio.Lock()
        self._sockets = sockets
        self._metrics_sockets = [create_metrics_socket() for _ in self._numbers]
        self._children: dict[int, WorkerProcess] = {}
        self._up = {number: asyncio.Event() for number in self._numbers}
        self._first_ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._renew = asyncio.Event()
        self._code = 0

    async def run(self) -> int:
        """The exit code: the first worker's when it could not start."""
        loop = asyncio.get_running_loop()
        for ends in signals.THAT_END:
            loop.add_signal_handler(ends, self._stop.set)
        loop.add_signal_handler(signals.RENEWS, self._renew.set)
        async with asyncio.TaskGroup() as tasks:
            others = [tasks.create_task(self._watch()), tasks.create_task(self._renew_in_turn())]
            for number in self._numbers:
                tasks.create_task(self._keep(number), name=f"worker {number}")
            await self._stop.wait()
            for task in others:
                task.cancel()
            self._first_ready.set()
            await self._end_all()
        return self._code

    async def _keep(self, number: int) -> None:
        """Have this worker run until we stop."""
        if number > self._numbers[0]:
            await self._first_ready.wait()
        pauses, restarts = delays(), 0
        while not self._stop.is_set():
            began = monotonic()
            code = await self._one_life(number, restarts)
            restarts += 1
            if self._stop.is_set():
                return
            if not self._first_ready.is_set():
                if code <= 0:  # else it has told why
                    log.error("worker_start_failed", exit_code=code)
                self._code = code if code > 0 else 1
                self._stop.set()
                return
            if (child := self._children.get(number)) is not None and child.renewed:
                continue
            if monotonic() - began > STEADY:
                pauses = delays()
            pause = next(pauses)
            log.warning("worker_restarting", worker=number, exit_code=code, delay_seconds=round(pause, 1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._stop.wait()

    async def _one_life(self, number: int, restarts: int) -> int:
        """Start a worker and listen to its signs of life; how it ended, less than 0 for a signal."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        with ours:
            with theirs:
                try:
                    child = await self._spawn(number, restarts, theirs.fileno())
                except OSError as error:  # no memory, no process to be had: it may pass
                    log.error("worker_spawn_failed", worker=number, error=str(error))
                    return 1
            if child is None:
                return 0
            listening = asyncio.create_task(self._listen(number, ours), name=f"listen to worker {number}")
            code = await child.process.wait()
            listening.cancel()
            self._up[number].clear()
            child.gone.set()
            return code

    async def _spawn(self, number: int, restarts: int, heartbeat_channel: int) -> WorkerProcess | None:
        """A new process; None when we are to stop. It has a session of its own: Ctrl-C is for us to pass on."""
        async with self._spawning:
            self._children.pop(number, None)
            if self._stop.is_set():
                return None
            public = [one.fileno() for one in self._sockets.public]
            operators = [one.fileno() for one in self._sockets.operators]
            worker_metrics = [one.fileno() for one in self._metrics_sockets]
            place = msgspec.json.encode(
                Place(number, restarts, heartbeat_channel, public, operators, worker_metrics)
            ).decode()
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "worker", place),
                stdin=DEVNULL,
                pass_fds=[heartbeat_channel, *public, *operators, *worker_metrics],
                start_new_session=True,
            )
            child = self._children[number] = WorkerProcess(process)
            return child

    async def _listen(self, number: int, line: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(line, 64):
                self._children[number].missed_beats = 0
                self._up[number].set()
                self._first_ready.set()

    async def _watch(self) -> None:
        """Counted and not timed: where all processes were frozen, nobody missed anything."""
        while True:
            await asyncio.sleep(BEAT_EVERY)
            for number, child in self._children.items():
                child.missed_beats += self._up[number].is_set()
                if child.missed_beats > SILENT_BEATS:
                    log.error("worker_unresponsive", worker=number)
                    child.send(signal.SIGKILL)

    async def _renew_in_turn(self) -> None:
        while True:
            await self._renew.wait()
            self._renew.clear()
            log.info("workers_reload_started")
            for number in self._numbers:
                if (child := self._children.get(number)) is not None:
                    child.renewed = True
                    await self._end(child, patience=self._patience)
                    await self._up[number].wait()
            log.info("workers_reload_finished")

    async def _end_all(self) -> None:
        """Those first that hold the sockets and do not answer yet: clients would wait there in vain."""
        async with self._spawning:
            starting = [child for number, child in self._children.items() if not self._up[number].is_set()]
        await self._end(*starting, patience=START_PATIENCE)
        self._sockets.close()
        await self._end(*self._children.values(), patience=self._patience)

    async def _end(self, *children: WorkerProcess, patience: float) -> None:
        """Have them finish what they are at. Whoever takes too long is killed."""
        for child in children:
            child.send(signal.SIGTERM)
        try:
            async with asyncio.timeout(patience):
                for child in children:
                    await child.gone.wait()
        except TimeoutError:
            for child in children:
                if not child.gone.is_set():
                    log.warning("worker_shutdown_timeout", pid=child.process.pid)
                    child.send(signal.SIGKILL)
                    await child.gone.wait()


async def supervise(settings: Settings) -> int:
    """Serve with as many processes as the settings say. Raises ConfigurationError."""
    return await WorkerPool(settings, Sockets.opened(settings)).run()
