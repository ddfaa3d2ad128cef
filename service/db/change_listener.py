"""Listens to change notifications of PostgreSQL. Each notification is only a hint to read rows again.

A dedicated connection first listens, then everything is read. From the start hints are followed in order: one task
reads single rows, another performs full reads, which take longer (`full_read_waits`). A half-open connection raises no
error, and a pooler can swallow LISTEN, so a heartbeat notification must return every few seconds. Once a heartbeat has
returned and all hints before it have been read, everything committed before it was sent has been read. `barrier`
requests a heartbeat early.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

import asyncpg
import structlog

from service.backoff import delays
from service.clock import uptime
from service.db.change_hints import ChangeHints, Rows
from service.db.connection import DatabaseLogin
from service.db.errors import raises_unavailable
from service.db.full_read_waits import FullReads
from service.db.listen_heartbeat import HEARTBEAT_DEADLINE, Heartbeat
from service.db.read_barrier import ReadBarrier
from service.db.session_keys import follower_name
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

CHANNEL = "connector_changes"
HEARTBEAT_INTERVAL = 1.5
"""Seconds between heartbeats when no request waits for one."""
MIN_HEARTBEAT_INTERVAL = 0.05
"""Minimum seconds between heartbeats, however many requests wait."""
BARRIER_DEADLINE = 2.0
"""Seconds that a request waits at the read barrier. A healthy PostgreSQL takes a few milliseconds."""
FULL_READ_INTERVAL = 300.0
"""Seconds between full reads when no hint asks for one."""
LEFT_OUT_RETRY_INTERVAL = 10.0
"""Seconds between retries of rows that were left out. A repaired column type sends no notification."""
BATCH_INTERVAL = 0.01
"""Minimum seconds between reads of rows. After a pause a hint is read at once; hints of a burst are batched."""
WARNING_INTERVAL = 60.0
"""Minimum seconds between warnings about unknown hints."""
RECONNECT_DELAYS = 0.3, 2.0
"""First and maximum delay in seconds. Short, so that a promoted primary is followed within seconds."""


class Reader(Protocol):
    """Reads rows into memory. Any driver error while it reads means "try again"; any other exception is a bug."""

    async def read_all(self) -> None: ...

    async def read_rows(self, rows: Rows) -> None: ...

    def confirm(self, at: float) -> None: ...

    def left_out_rows(self) -> Rows: ...


class ChangeListener:
    """Follows the channel for a reader. `run` never returns by itself."""

    def __init__(self, login: DatabaseLogin, reader: Reader, clock: Callable[[], float] = uptime) -> None:
        self._login = login
        self._reader = reader
        self._clock = clock
        self._barrier = ReadBarrier(clock)
        self._hints = ChangeHints(clock)
        self._full_reads = FullReads()
        self._full_read_due = asyncio.Event()
        self._rows_due = asyncio.Event()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._heartbeat = Heartbeat(CHANNEL)
        self._confirmed_at: float | None = None
        self._read_until = self._doubted_at = float("-inf")
        self._away = False
        self._reconnect_delays = delays(*RECONNECT_DELAYS)
        self._warned_at = float("-inf")
        self.loaded = asyncio.Event()
        """Set once everything has been read for the first time."""
        self.last_error = ""
        """Why changes could not be followed the last time."""

    @property
    def current(self) -> bool:
        """Whether everything has been read since the connection was lost, or a `refresh` failed, the last time."""
        return self._read_until >= self._doubted_at

    async def refresh(self, hint: str, within: float) -> bool:
        """Queue a re-read and wait for it; False if not done within `within` seconds."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hints.add(hint)
        self._waiting.append((hint, done))
        self._rows_due.set()
        self._full_read_due.set()
        try:
            async with asyncio.timeout(within):
                await done
        except TimeoutError:
            self._doubted_at = self._clock()
            return False
        return True

    async def barrier(self, within: float = BARRIER_DEADLINE, known: Callable[[], bool] = lambda: False) -> None:
        """Return once every commit before this call, by any replica, has been read, or once `known()` is true.

        `known` matters during a full read, which delays the barrier until it ends. However many calls wait, PostgreSQL
        gets one heartbeat per MIN_HEARTBEAT_INTERVAL. Raises DirectoryUnavailable, Overloaded.
        """
        await self._barrier.wait(within, known)

    async def run(self) -> None:
        """Follow changes until cancelled; reconnect after every driver error. Only a bug ends it."""
        while True:
            try:
                await self._session()
            except* DatabaseUnavailable as failures:
                self.last_error = str(failures.exceptions[0])
            self._doubted_at = self._clock()
            level = logging.DEBUG if self._away else logging.WARNING
            log.log(level, "change_listener_down", error=self.last_error)
            self._away = True
            await asyncio.sleep(next(self._reconnect_delays))

    async def _session(self) -> None:
        with raises_unavailable():
            name = follower_name(self._login.secret_keys)
            connection = await self._login.connect(server_settings={"application_name": name})
        try:
            with raises_unavailable():
                async with asyncio.timeout(HEARTBEAT_DEADLINE):
                    await connection.add_listener(CHANNEL, self._notified)
            self._hints.request_full_read_now()
            self._full_reads.defer(self._full_reads.required(behind=True), self._clock(), [])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._send_heartbeats(connection), name="listener heartbeat")
                tasks.create_task(self._follow_row_hints(), name="read after changes")
                tasks.create_task(self._follow_full_read_hints(), name="read everything")
        finally:
            connection.terminate()

    async def _follow_row_hints(self) -> None:
        """Read the rows that hints name, also during a full read."""
        next_read_at = self._clock()
        while True:
            await self._rows_due.wait()
            if not self._waiting:
                # At least one turn of the loop: a transaction's notifications arrive together.
                await asyncio.sleep(max(0.0, next_read_at - self._clock()))
            if await self._read_rows():
                next_read_at = self._clock() + BATCH_INTERVAL

    async def _read_rows(self) -> bool:
        """Read the rows that are due; False if there are none. On failure they stay due."""
        self._rows_due.clear()
        rows, required = self._hints.take(), self._full_reads.required(behind=self._hints.behind)
        waiting, self._waiting, confirmed_at = self._waiting, [], self._confirmed_at
        try:
            if len(rows):
                with raises_unavailable():
                    await self._reader.read_rows(rows)
        except BaseException:
            self._hints.put_back(rows)
            self._waiting = waiting + self._waiting
            raise
        if len(rows):
            self._barrier.recheck()
        # A full read that is due covers the rows of all hints before it, which are then not read by themselves.
        _resolve(done for hint, done in waiting if rows.holds(hint))
        full_read_waiting = [done for hint, done in waiting if not rows.holds(hint)]
        if not self._full_reads.defer(required, confirmed_at, full_read_waiting):
            self._confirm(confirmed_at, full_read_waiting)
        return len(rows) > 0

    async def _follow_full_read_hints(self) -> None:
        """Read everything when a hint asks for it or the interval has passed; retry rows that were left out."""
        full_read_at, retry_at = self._clock() + FULL_READ_INTERVAL, self._clock() + LEFT_OUT_RETRY_INTERVAL
        while True:
            self._full_read_due.clear()
            if self._clock() >= retry_at:
                retry_at = self._clock() + LEFT_OUT_RETRY_INTERVAL
                self._retry(self._reader.left_out_rows())
            behind, interval_passed = self._hints.behind, self._clock() > full_read_at
            if self._hints.take_full_read() or interval_passed:
                await self._read_all(behind)
                full_read_at = self._clock() + FULL_READ_INTERVAL
                continue
            due_in = self._hints.full_read_due_in()
            wait = min(full_read_at, retry_at) - self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait if due_in is None else min(wait, due_in)):
                    await self._full_read_due.wait()

    def _retry(self, left_out: Rows) -> None:
        if len(left_out):
            self._hints.put_back(left_out)
            self._rows_due.set()

    async def _read_all(self, behind: bool) -> None:
        """Perform a full read. `behind`: a known hint asked for it. On failure it stays due."""
        self._full_reads.begin(requested=behind)
        began = self._clock()
        try:
            with raises_unavailable():
                await self._reader.read_all()
        except BaseException:
            self._hints.request_full_read()
            raise
        self._hints.full_read_ended(self._clock() - began)
        for confirmed_at, waiting in self._full_reads.end():
            self._confirm(confirmed_at, waiting)
        self.loaded.set()

    def _confirm(self, confirmed_at: float | None, waiting: Iterable[asyncio.Future[None]]) -> None:
        if confirmed_at is not None:
            self._read_until = max(self._read_until, confirmed_at)
            self._reader.confirm(confirmed_at)
            self._barrier.confirm(confirmed_at)
        _resolve(waiting)

    async def _send_heartbeats(self, connection: asyncpg.Connection) -> None:
        while True:
            sent_at = self._clock()
            self._barrier.requested.clear()
            with raises_unavailable():
                await self._heartbeat.send(connection)
            if self._away:
                self._away = False
                log.info("change_listener_live")
            self._reconnect_delays = delays(*RECONNECT_DELAYS)
            self._confirmed_at = sent_at
            self._rows_due.set()
            await asyncio.sleep(MIN_HEARTBEAT_INTERVAL)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_INTERVAL - MIN_HEARTBEAT_INTERVAL):
                    await self._barrier.requested.wait()

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        hint = str(payload)
        if not self._heartbeat.receive(hint):
            if not self._hints.add(hint) and self._clock() > self._warned_at + WARNING_INTERVAL:
                self._warned_at = self._clock()
                log.warning("change_hint_unknown", hint=hint[:80])
            self._rows_due.set()
            self._full_read_due.set()


def _resolve(waiting: Iterable[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
