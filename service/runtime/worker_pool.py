"""Several processes on one port: the parent opens the sockets, starts the workers and keeps them running.

The parent serves no requests and holds no state of the workers. Each worker is a fresh `python -m service` with the
same environment and its own event loop, links and directory. The first worker starts alone: an error that prevents its
start, such as a wrong setting or no PostgreSQL, is reported once and ends the parent with the same exit code.
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
from service.runtime.service_manager import ServiceManager
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import HEARTBEAT_INTERVAL, WorkerParameters
from service.settings import Settings
from service.web.ops.worker_metrics import create_metrics_socket
from service.web.server.certificate import find_problem

log = structlog.get_logger(__name__)

MAX_MISSED_HEARTBEATS = 10
"""Heartbeats that a worker may miss. Beyond that its event loop counts as stuck, and the worker is killed."""
STABLE_AFTER = 30.0
"""Seconds that a worker must run before its restart delays begin again at the shortest."""
CLEANUP_DEADLINE = 7.0
"""Seconds, after the grace period for requests, in which a worker must close its links and connections."""
START_STOP_DEADLINE = 2.0
"""Seconds in which a worker that is still starting must end."""


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


class WorkerPool:
    """Owns the workers. `run` ends on a shutdown signal; SIGHUP replaces the workers one by one."""

    def __init__(self, settings: Settings, sockets: Sockets, manager: ServiceManager) -> None:
        self._manager = manager
        self._start_deadline = settings.database_start_deadline
        self._settings = settings
        self._numbers = range(1, settings.workers + 1)
        self._stop_deadline = settings.shutdown_deadline + CLEANUP_DEADLINE
        self._spawning = asyncio.Lock()
        self._sockets = sockets
        self._metrics_sockets = [create_metrics_socket() for _ in self._numbers]
        self._workers: dict[int, WorkerProcess] = {}
        self._ready = {number: asyncio.Event() for number in self._numbers}
        self._first_ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._exit_code = 0

    async def run(self) -> int:
        """Run until stopped, and return the exit code: the first worker's if it could not start."""
        loop = asyncio.get_running_loop()
        for shutdown in signals.SHUTDOWN:
            loop.add_signal_handler(shutdown, self._stop.set)
        loop.add_signal_handler(signals.RELOAD, self._reload.set)
        self._manager.starting(self._start_deadline)
        async with self._manager.watchdog(), asyncio.TaskGroup() as tasks:
            helpers = [tasks.create_task(self._count_heartbeats()), tasks.create_task(self._reload_on_signal())]
            for number in self._numbers:
                tasks.create_task(self._keep_running(number), name=f"worker {number}")
            await self._stop.wait()
            self._manager.stopping(self._stop_deadline)
            for task in helpers:
                task.cancel()
            self._first_ready.set()
            await self._stop_all()
        return self._exit_code

    async def _keep_running(self, number: int) -> None:
        """Run a worker, and restart it until the pool stops."""
        if number > self._numbers[0]:
            await self._first_ready.wait()
        restart_delays, restarts = delays(), 0
        while not self._stop.is_set():
            began = monotonic()
            code = await self._run_worker(number, restarts)
            restarts += 1
            if self._stop.is_set():
                return
            if not self._first_ready.is_set():
                if code <= 0:  # with another code the worker has logged the cause
                    log.error("worker_start_failed", exit_code=code)
                self._exit_code = code if code > 0 else 1
                self._stop.set()
                return
            if (worker := self._workers.get(number)) is not None and worker.replaced:
                continue
            if monotonic() - began > STABLE_AFTER:
                restart_delays = delays()
            delay = next(restart_delays)
            log.warning("worker_restarting", worker=number, exit_code=code, delay_seconds=round(delay, 1))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(delay):
                    await self._stop.wait()

    async def _run_worker(self, number: int, restarts: int) -> int:
        """Start a worker, read its heartbeats and wait for its end. Returns the exit code, negative for a signal."""
        parent_end, worker_end = socket.socketpair()
        parent_end.setblocking(False)
        with parent_end:
            with worker_end:
                try:
                    worker = await self._spawn(number, restarts, worker_end.fileno())
                except OSError as error:  # out of memory or processes, which may pass
                    log.error("worker_spawn_failed", worker=number, error=str(error))
                    return 1
            if worker is None:
                return 0
            reading = asyncio.create_task(self._read_heartbeats(number, parent_end), name=f"heartbeats {number}")
            code = await worker.process.wait()
            reading.cancel()
            self._ready[number].clear()
            worker.ended.set()
            return code

    async def _spawn(self, number: int, restarts: int, heartbeat_channel: int) -> WorkerProcess | None:
        """Start a process; None if the pool stops. It gets its own session, as the pool itself forwards Ctrl-C."""
        async with self._spawning:
            self._workers.pop(number, None)
            if self._stop.is_set():
                return None
            public = [listener.fileno() for listener in self._sockets.public]
            operators = [listener.fileno() for listener in self._sockets.operators]
            worker_metrics = [metrics_socket.fileno() for metrics_socket in self._metrics_sockets]
            parameters = WorkerParameters(number, restarts, heartbeat_channel, public, operators, worker_metrics)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "worker", msgspec.json.encode(parameters).decode()),
                stdin=DEVNULL,
                pass_fds=[heartbeat_channel, *public, *operators, *worker_metrics],
                start_new_session=True,
            )
            worker = self._workers[number] = WorkerProcess(process)
            return worker

    async def _read_heartbeats(self, number: int, parent_end: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(parent_end, 64):
                self._workers[number].missed_heartbeats = 0
                self._ready[number].set()
                if not self._first_ready.is_set():  # the sockets are shared: requests are answered from now on
                    self._first_ready.set()
                    self._manager.ready()

    async def _count_heartbeats(self) -> None:
        """Kill workers that miss heartbeats. Counts instead of measuring time, as all processes may freeze together."""
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL)
            for number, worker in self._workers.items():
                worker.missed_heartbeats += self._ready[number].is_set()
                if worker.missed_heartbeats > MAX_MISSED_HEARTBEATS:
                    log.error("worker_unresponsive", worker=number)
                    worker.send(signal.SIGKILL)

    async def _reload_on_signal(self) -> None:
        while True:
            await self._reload.wait()
            self._reload.clear()
            self._manager.reloading()
            if (problem := await asyncio.to_thread(find_problem, self._settings)) is not None:
                log.error("workers_reload_refused", error=problem)  # a new worker could not start
                self._manager.ready()
                continue
            log.info("workers_reload_started")
            for number in self._numbers:
                if (worker := self._workers.get(number)) is not None:
                    worker.replaced = True
                    await self._stop_workers(worker, deadline=self._stop_deadline)
                    await self._ready[number].wait()
            log.info("workers_reload_finished")
            self._manager.ready()

    async def _stop_all(self) -> None:
        """Stop starting workers first: they hold the sockets without answering, so clients would wait in vain."""
        async with self._spawning:
            starting = [worker for number, worker in self._workers.items() if not self._ready[number].is_set()]
        await self._stop_workers(*starting, deadline=START_STOP_DEADLINE)
        self._sockets.close()
        await self._stop_workers(*self._workers.values(), deadline=self._stop_deadline)

    async def _stop_workers(self, *workers: WorkerProcess, deadline: float) -> None:
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


async def run_workers(settings: Settings, manager: ServiceManager) -> int:
    """Serve with several processes, and return the exit code. Raises ConfigurationError."""
    return await WorkerPool(settings, Sockets.open(settings), manager).run()
