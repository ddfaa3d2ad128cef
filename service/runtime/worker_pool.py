"""Several processes on one port: the parent opens the sockets, starts the workers and keeps them running.

The parent serves no requests and holds no state of the workers. Each worker is a fresh `python -m service` with the
same environment and its own event loop and directory. One further process, the collector, holds the links to Asterisk,
and the workers follow it through sockets in a folder of the parent's. The first process starts alone, and the first
worker after it: an error that prevents the start, such as a wrong setting or no PostgreSQL, is reported once and ends
the parent with the same exit code. A collector is replaced by one that is live before the old one goes.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from asyncio.subprocess import Process
from time import monotonic

import structlog

from service.runtime import signals
from service.runtime.service_manager import ServiceManager
from service.runtime.socket_folder import socket_folder
from service.runtime.sockets import Sockets
from service.runtime.worker_channel import HEARTBEAT_INTERVAL, CollectorParameters, WorkerParameters
from service.runtime.worker_process import (
    COLLECTORS,
    FIRST_COLLECTOR,
    WorkerProcess,
    restart_delays_of,
    start_process,
    stop_processes,
)
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

COLLECTOR_DEADLINE = 20.0
"""Seconds, after PostgreSQL's deadline, in which a new collector must be live or have given up waiting for that."""
FOLLOWING_TIME = 2.0
"""Seconds in which workers find a new collector and take its map, before the old one goes."""


class WorkerPool:
    """Owns the workers. `run` ends on a shutdown signal; SIGHUP replaces the workers one by one."""

    def __init__(self, settings: Settings, sockets: Sockets, manager: ServiceManager) -> None:
        self._manager = manager
        self._start_deadline = settings.database_start_deadline
        self._settings = settings
        self._numbers = range(1, settings.workers + 1)
        self._collector = FIRST_COLLECTOR if settings.bus_role != "follower" else None
        self._collector_ready = asyncio.Event()
        self._retired: set[int] = set()
        self._folder = ""
        self._stop_deadline = settings.shutdown_deadline + CLEANUP_DEADLINE
        self._spawning = asyncio.Lock()
        self._sockets = sockets
        self._metrics_sockets = [create_metrics_socket() for _ in self._numbers]
        self._workers: dict[int, WorkerProcess] = {}
        self._ready = {number: asyncio.Event() for number in (*COLLECTORS, *self._numbers)}
        self._first_ready = asyncio.Event()
        self._stop = asyncio.Event()
        self._reload = asyncio.Event()
        self._exit_code = 0
        self._collectors_started = 0

    async def run(self) -> int:
        """Run until stopped, and return the exit code: the first worker's if it could not start."""
        loop = asyncio.get_running_loop()
        for shutdown in signals.SHUTDOWN:
            loop.add_signal_handler(shutdown, self._stop.set)
        loop.add_signal_handler(signals.RELOAD, self._reload.set)
        self._manager.starting(self._start_deadline)
        with socket_folder() as self._folder:
            await self._run()
        return self._exit_code

    async def _run(self) -> None:
        async with self._manager.watchdog(), asyncio.TaskGroup() as self._tasks:
            tasks = self._tasks
            helpers = [tasks.create_task(self._count_heartbeats()), tasks.create_task(self._reload_on_signal())]
            for number in self._numbers if self._collector is None else (self._collector, *self._numbers):
                tasks.create_task(self._keep_running(number), name=f"worker {number}")
            await self._stop.wait()
            self._manager.stopping(self._stop_deadline)
            for task in helpers:
                task.cancel()
            self._collector_ready.set()
            self._first_ready.set()
            await self._stop_all()

    async def _keep_running(self, number: int) -> None:
        """Run a worker, and restart it until the pool stops."""
        if number == self._numbers[0] and self._collector is not None:
            await self._collector_ready.wait()
        elif number > self._numbers[0]:
            await self._first_ready.wait()
        restart_delays, restarts = restart_delays_of(number), 0
        while not self._stop.is_set() and number not in self._retired:
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
                restart_delays = restart_delays_of(number)
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
            if number in COLLECTORS:
                worker = self._workers[number] = WorkerProcess(await self._start_collector(number, heartbeat_channel))
                return worker
            public = [listener.fileno() for listener in self._sockets.public]
            operators = [listener.fileno() for listener in self._sockets.operators]
            worker_metrics = [metrics_socket.fileno() for metrics_socket in self._metrics_sockets]
            folder = self._folder if self._collector is not None else None
            parameters = WorkerParameters(
                number, restarts, heartbeat_channel, public, operators, worker_metrics, folder
            )
            process = await start_process(
                "worker", parameters, [heartbeat_channel, *public, *operators, *worker_metrics]
            )
            worker = self._workers[number] = WorkerProcess(process)
            return worker

    async def _start_collector(self, number: int, heartbeat_channel: int) -> Process:
        self._collectors_started += 1
        name = f"{number}-{self._collectors_started}"
        replaces = any(self._ready[other].is_set() for other in COLLECTORS)
        parameters = CollectorParameters(self._folder, name, heartbeat_channel, replaces)
        return await start_process("collector", parameters, [heartbeat_channel])

    async def _read_heartbeats(self, number: int, parent_end: socket.socket) -> None:
        with contextlib.suppress(ConnectionError):
            while await asyncio.get_running_loop().sock_recv(parent_end, 64):
                self._workers[number].missed_heartbeats = 0
                self._ready[number].set()
                if number in COLLECTORS:
                    self._collector_ready.set()
                elif not self._first_ready.is_set():  # the sockets are shared: requests are answered from now on
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
            if self._collector is not None:
                self._collector = await self._replace_collector(self._collector)
            for number in self._numbers:
                if (worker := self._workers.get(number)) is not None:
                    worker.replaced = True
                    await stop_processes(worker, deadline=self._stop_deadline)
                    await self._ready[number].wait()
            log.info("workers_reload_finished")
            self._manager.ready()

    async def _replace_collector(self, old: int) -> int:
        """Start another collector, and stop the old one once the workers have what it knows. Returns which runs."""
        new = next(number for number in COLLECTORS if number != old)
        self._retired.discard(new)
        self._tasks.create_task(self._keep_running(new), name=f"worker {new}")
        try:
            async with asyncio.timeout(self._start_deadline + COLLECTOR_DEADLINE):
                await self._ready[new].wait()
            await asyncio.sleep(FOLLOWING_TIME)
            gone, stays = old, new
        except TimeoutError:
            log.error("collector_reload_failed")  # what prevents its start is logged; the old one goes on
            gone, stays = new, old
        self._retired.add(gone)
        if (collector := self._workers.get(gone)) is not None:
            collector.replaced = True
            await stop_processes(collector, deadline=CLEANUP_DEADLINE)
        return stays

    async def _stop_all(self) -> None:
        """Stop starting workers first: they hold the sockets without answering, so clients would wait in vain."""
        async with self._spawning:
            starting = [worker for number, worker in self._workers.items() if not self._ready[number].is_set()]
        await stop_processes(*starting, deadline=START_STOP_DEADLINE)
        self._sockets.close()
        workers = [worker for number, worker in self._workers.items() if number not in COLLECTORS]
        await stop_processes(*workers, deadline=self._stop_deadline)
        collectors = [worker for number, worker in self._workers.items() if number in COLLECTORS]
        await stop_processes(*collectors, deadline=CLEANUP_DEADLINE)  # last: requests were being answered


async def run_workers(settings: Settings, manager: ServiceManager) -> int:
    """Serve with several processes, and return the exit code. Raises ConfigurationError."""
    return await WorkerPool(settings, Sockets.open(settings), manager).run()
