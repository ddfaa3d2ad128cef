"""What changes in PostgreSQL, heard through LISTEN: each notification is a hint to read rows again, nothing more.

A dedicated connection listens first, then everything is read. Hints are followed meanwhile and from then on, in order:
rows by one task, and everything, which takes a while, by another one (`lanes`). Nothing
tells of a half-open connection, and a pooler can swallow LISTEN, so a notification to oneself must come back every few
seconds. When one that was sent at a time has come back, and all hints before it have been read, then everything that
was committed before that time has been read. Whoever cannot wait for the next one has one sent (`proved`).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import uuid
from collections.abc import Callable, Iterable
from typing import Protocol

import asyncpg
import structlog

from service.backoff import delays
from service.clock import uptime
from service.db.change_hints import ChangeHints, Rows
from service.db.connection import DatabaseLogin
from service.db.errors import not_now
from service.db.read_barrier import ReadBarrier
from service.db.reread_lanes import RereadLanes
from service.errors import DatabaseUnavailable

log = structlog.get_logger(__name__)

CHANNEL = "connector_changes"
_HEARTBEAT = re.compile(r"heartbeat [0-9a-f-]{36}")
HEARTBEAT_EVERY = 1.5
HEARTBEAT_DEADLINE = 3.0
PROOF_EVERY = 0.05
"""Seconds between two heartbeats at least, however many want one."""
PROOF_DEADLINE = 2.0
"""Seconds that one waits for a proof: a healthy PostgreSQL takes a few milliseconds."""
READ_AGAIN_EVERY = 300.0
"""Seconds: even without a hint everything is read again, slowly, all the time."""
RETRY_EVERY = 10.0
"""Seconds between two tries to read the rows that were left out. A repaired column's type notifies nobody."""
GATHER = 0.01
"""Seconds between two readings. A hint after a rest is followed at once; those of a burst are read together."""


REMIND_EVERY = 60.0
"""Seconds between two warnings of hints that are not understood."""


RETRY = 0.3, 2.0
"""Seconds before the first retry, and at most: short, so that a promoted primary is followed within seconds."""


class Reader(Protocol):
    """Who reads rows. Whatever the driver raises while it reads is "not now"; anything else is a bug."""

    async def read_all(self) -> None: ...

    async def read(self, rows: Rows) -> None: ...

    def confirmed(self, at: float) -> None: ...

    def left_out(self) -> Rows: ...


class ChangeListener:
    """Follows the channel on behalf of a reader; `run` never returns by itself."""

    def __init__(self, login: DatabaseLogin, reader: Reader, clock: Callable[[], float] = uptime) -> None:
        self._login = login
        self._reader = reader
        self._clock = clock
        self._proofs = ReadBarrier(clock)
        self._hints = ChangeHints(clock)
        self._hinted = asyncio.Event()
        self._lanes = RereadLanes()
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self._confirmed_at: float | None = None
        self._due = asyncio.Event()
        self._away = False
        self._pauses = delays(*RETRY)
        self._beat: asyncio.Future[None] | None = None
        self._beat_name = ""
        self._reminded_at = float("-inf")
        self.following = asyncio.Event()
        """Set once everything has been read for the first time."""
        self.trouble = ""
        """Why changes could not be followed the last time."""

    async def refresh(self, hint: str, within: float) -> bool:
        """Have a row read now, in its turn. False when that did not happen within so many seconds."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._hints.add(hint)
        self._waiting.append((hint, done))
        self._due.set()
        self._hinted.set()
        try:
            async with asyncio.timeout(within):
                await done
        except TimeoutError:
            return False
        return True

    async def proved(self, within: float = PROOF_DEADLINE, known: Callable[[], bool] = lambda: False) -> None:
        """Return once everything that was committed before this call, by whichever replica, has been read.

        Also once what is asked about is `known`: while everything is read a proof takes as long as that.
        However many call, PostgreSQL is asked once in PROOF_EVERY seconds. Raises DirectoryUnavailable, Overloaded.
        """
        await self._proofs.next(within, known)

    async def run(self) -> None:
        """Follow until cancelled, reconnecting as often as it takes. Only a bug of ours ends it."""
        while True:
            try:
                await self._session()
            except* DatabaseUnavailable as failures:
                self.trouble = str(failures.exceptions[0])
            level = logging.DEBUG if self._away else logging.WARNING
            log.log(level, "change_listener_down", error=self.trouble)
            self._away = True
            await asyncio.sleep(next(self._pauses))

    async def _session(self) -> None:
        with not_now():
            connection = await self._login.connect(server_settings={"application_name": "asterisk-connector changes"})
        try:
            with not_now():
                async with asyncio.timeout(HEARTBEAT_DEADLINE):
                    await connection.add_listener(CHANNEL, self._notified)
            self._hints.at_once()
            self._lanes.later(self._lanes.needed(behind=True), self._clock(), [])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heartbeat(connection), name="listener heartbeat")
                tasks.create_task(self._follow(), name="read after changes")
                tasks.create_task(self._read_everything(), name="read everything")
        finally:
            connection.terminate()

    async def _follow(self) -> None:
        """Read rows as hints name them, also while everything is read, which takes a while."""
        rested_at = self._clock()
        while True:
            await self._due.wait()
            if not self._waiting:
                # At least a turn of the loop: what one transaction changed comes as many notifications at once.
                await asyncio.sleep(max(0.0, rested_at - self._clock()))
            if await self._read_rows():
                rested_at = self._clock() + GATHER

    async def _read_rows(self) -> bool:
        """Read the rows that are due; False: none were. What fails stays due, what comes meanwhile is for later."""
        self._due.clear()
        rows, needed = self._hints.take(), self._lanes.needed(behind=self._hints.behind)
        waiting, self._waiting, confirmed_at = self._waiting, [], self._confirmed_at
        try:
            if len(rows):
                with not_now():
                    await self._reader.read(rows)
        except BaseException:
            self._hints.put_back(rows)
            self._waiting = waiting + self._waiting
            raise
        if len(rows):
            self._proofs.look()
        _tell(done for hint, done in waiting if not hint.endswith("*"))
        others = [done for hint, done in waiting if hint.endswith("*")]
        if not self._lanes.later(needed, confirmed_at, others):
            self._caught_up(confirmed_at, others)
        return len(rows) > 0

    async def _read_everything(self) -> None:
        """Read everything whenever a hint, or the time, says so; and now and then what was left out."""
        read_again_at, retry_at = self._clock() + READ_AGAIN_EVERY, self._clock() + RETRY_EVERY
        while True:
            self._hinted.clear()
            if self._clock() >= retry_at:
                retry_at = self._clock() + RETRY_EVERY
                self._retry(self._reader.left_out())
            behind, by_time = self._hints.behind, self._clock() > read_again_at
            if self._hints.take_everything() or by_time:
                await self._read_all(behind)
                read_again_at = self._clock() + READ_AGAIN_EVERY
                continue
            due_in = self._hints.due_in()
            rest = min(read_again_at, retry_at) - self._clock()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(rest if due_in is None else min(rest, due_in)):
                    await self._hinted.wait()

    def _retry(self, left_out: Rows) -> None:
        if len(left_out):
            self._hints.put_back(left_out)
            self._due.set()

    async def _read_all(self, behind: bool) -> None:
        """Read everything now; `behind`: a hint that is understood said so. Where it fails it stays due."""
        self._lanes.begin(counts=behind)
        began = self._clock()
        try:
            with not_now():
                await self._reader.read_all()
        except BaseException:
            self._hints.everything()
            raise
        self._hints.everything_was_read(self._clock() - began)
        for confirmed_at, waiting in self._lanes.end():
            self._caught_up(confirmed_at, waiting)
        self.following.set()

    def _caught_up(self, confirmed_at: float | None, waiting: Iterable[asyncio.Future[None]]) -> None:
        if confirmed_at is not None:
            self._reader.confirmed(confirmed_at)
            self._proofs.given(confirmed_at)
        _tell(waiting)

    async def _heartbeat(self, connection: asyncpg.Connection) -> None:
        while True:
            sent_at = self._clock()
            self._proofs.wanted.clear()
            self._beat_name = f"heartbeat {uuid.uuid4()}"
            self._beat = asyncio.get_running_loop().create_future()
            with not_now():
                async with asyncio.timeout(HEARTBEAT_DEADLINE):
                    await connection.execute("select pg_notify($1, $2)", CHANNEL, self._beat_name)
                    await self._beat
            if self._away:
                self._away = False
                log.info("change_listener_live")
            self._pauses = delays(*RETRY)
            self._confirmed_at = sent_at
            self._due.set()
            await asyncio.sleep(PROOF_EVERY)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT_EVERY - PROOF_EVERY):
                    await self._proofs.wanted.wait()

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        hint = str(payload)
        if hint == self._beat_name and self._beat is not None and not self._beat.done():
            self._beat.set_result(None)
        elif not _HEARTBEAT.fullmatch(hint):
            if not self._hints.add(hint) and self._clock() > self._reminded_at + REMIND_EVERY:
                self._reminded_at = self._clock()
                log.warning("change_hint_unknown", hint=hint[:80])
            self._due.set()
            self._hinted.set()


def _tell(waiting: Iterable[asyncio.Future[None]]) -> None:
    for done in waiting:
        if not done.done():
            done.set_result(None)
