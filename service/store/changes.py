"""What changes in PostgreSQL, heard through LISTEN: each notification is a hint to read again, nothing more.

A dedicated connection listens first, then everything is read, then hints are followed. Nothing tells of a half-open
connection, and a pooler can swallow LISTEN, so a notification to oneself must come back every few seconds.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Awaitable, Callable

import asyncpg
import structlog

from service.errors import DatabaseUnavailable
from service.store.database import Login, translated

log = structlog.get_logger(__name__)

CHANNEL = "connector_changes"
HEARTBEAT_EVERY = 2.0
HEARTBEAT_DEADLINE = 3.0
READ_AGAIN_EVERY = 60.0
"""Seconds: even without a hint everything is read again, slowly, all the time."""
GATHER = 0.02
"""Seconds to wait for more hints before reading, so that a burst is read once."""


class Changes:
    """Calls `read` once listening begins, after every hint, and slowly all the time; `run` never returns by itself."""

    def __init__(self, login: Login, read: Callable[[], Awaitable[None]]) -> None:
        self._login = login
        self._read = read
        self._due = asyncio.Event()
        self._away = False
        self._beat: asyncio.Future[None] | None = None
        self._beat_name = ""

    async def run(self) -> None:
        """Follow until cancelled, reconnecting as often as it takes."""
        while True:
            try:
                await self._session()
            except* DatabaseUnavailable as failures:
                why = str(failures.exceptions[0])
            (log.debug if self._away else log.warning)("changes in postgresql are not followed", error=why)
            self._away = True
            await asyncio.sleep(random.uniform(0.5, 1.5))  # noqa: S311 - jitter

    async def _session(self) -> None:
        connection = await self._login.connect(server_settings={"application_name": "asterisk-connector changes"})
        try:
            with translated():
                async with asyncio.timeout(HEARTBEAT_DEADLINE):
                    await connection.add_listener(CHANNEL, self._notified)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heartbeat(connection), name="listener heartbeat")
                tasks.create_task(self._read_when_due(), name="read after changes")
        finally:
            connection.terminate()

    async def _read_when_due(self) -> None:
        while True:
            self._due.clear()
            await self._read()
            if self._away:
                self._away = False
                log.info("changes in postgresql are followed again")
            try:
                async with asyncio.timeout(READ_AGAIN_EVERY):
                    await self._due.wait()
                await asyncio.sleep(GATHER)
            except TimeoutError:
                pass

    async def _heartbeat(self, connection: asyncpg.Connection) -> None:
        while True:
            self._beat_name = f"heartbeat {uuid.uuid4()}"
            self._beat = asyncio.get_running_loop().create_future()
            with translated():
                async with asyncio.timeout(HEARTBEAT_DEADLINE):
                    await connection.execute("select pg_notify($1, $2)", CHANNEL, self._beat_name)
                    await self._beat
            await asyncio.sleep(HEARTBEAT_EVERY)

    def _notified(self, _connection: object, _pid: int, _channel: str, payload: object) -> None:
        if payload == self._beat_name and self._beat is not None and not self._beat.done():
            self._beat.set_result(None)
        elif not str(payload).startswith("heartbeat"):
            self._due.set()
