"""Bounds for a migration's lock waits, and who blocks them.

A statement that waits for a strong lock blocks every later reader of the table, so the wait is short and retried. A
transaction that already holds a strong lock waits even less for the next: less than PostgreSQL's `deadlock_timeout`, so
that in a deadlock the migration gives up and never the request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg

Result = TypeVar("Result")

CHECK_INTERVAL = 0.25
"""Seconds between checks of who blocks a running statement."""
CANCEL_DEADLINE = 2.0
"""Seconds that PostgreSQL may take to cancel a statement."""
WAIT_SHARE = 0.5
"""Share of a request's deadline that a migration may wait for its first strong lock. By default 1.5 s, as autovacuum
yields its lock after `deadlock_timeout`, 1 s."""
HOLD_SHARE = 0.15
"""Share of a request's deadline within which, once a strong lock is held, all others must be acquired."""


class LockBudget:
    """The time that one transaction may wait for its next lock."""

    def __init__(self, request_deadline: float) -> None:
        self._wait = request_deadline * WAIT_SHARE
        self._hold = request_deadline * HOLD_SHARE
        self._held_since: float | None = None

    @property
    def holding(self) -> bool:
        return self._held_since is not None

    def hold(self) -> None:
        """Start the hold budget: from now on requests wait for this transaction."""
        self._held_since = time.monotonic()

    def milliseconds(self) -> int:
        """Return the value for `lock_timeout`; never 0, which means no limit."""
        wait = self._wait
        if self._held_since is not None:
            wait = self._hold - (time.monotonic() - self._held_since)
        return max(20, int(wait * 1000))


class LockWatcher:
    """Observes the migration's connection through another one.

    The observing connection must not be in a transaction: `create index concurrently` waits for every open snapshot, so
    the migration would wait for its own watcher.
    """

    def __init__(self, observer: asyncpg.Connection, observed: asyncpg.Connection) -> None:
        self._observer = observer
        self._observed = observed
        self._pid = 0
        self.holders = ""
        """Sessions that blocked the migration when it was last seen waiting."""

    async def update_pid(self) -> None:
        """Query the backend's process id. A pooler reports another one to the driver, and may change the backend."""
        self._pid = await self._observed.fetchval("select pg_backend_pid()")

    async def run(self, statement: Coroutine[Any, Any, Result]) -> Result:
        """Run a statement, and record who blocks it. Raises the statement's errors and those of the checks.

        The checks have a deadline, the statement has none: when a check fails the statement is cancelled.
        """
        task = asyncio.create_task(statement, name="migration statement")
        try:
            while not (await asyncio.wait({task}, timeout=CHECK_INTERVAL))[0]:
                self.holders = await self._blockers() or self.holders
            return task.result()
        finally:
            if not task.done():
                task.cancel()  # the driver also cancels it in PostgreSQL, which would not notice a closed connection
                if not (await asyncio.wait({task}, timeout=CANCEL_DEADLINE))[0]:
                    self._observed.terminate()

    async def holds_strong_lock(self) -> bool:
        """Return whether the migration holds a strong lock on a table that others see."""
        rows = await self._observer.fetch(
            """
            select from pg_locks as l
            join pg_class as c on c.oid = l.relation and c.relkind in ('r', 'p', 'v', 'm', 'S')
            where l.pid = $1 and l.granted and l.relation >= 16384
                and l.mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            limit 1
            """,
            self._pid,
        )
        return bool(rows)

    async def _blockers(self) -> str:
        rows = await self._observer.fetch(
            """
            select a.pid, a.usename, a.application_name, a.backend_type, w.relation::regclass::text as relation,
                (select string_agg(distinct h.mode, ', ') from pg_locks as h
                where h.pid = a.pid and h.granted and h.relation = w.relation) as modes
            from unnest(pg_blocking_pids($1)) as blocker (pid)
            join pg_stat_activity as a on a.pid = blocker.pid
            left join pg_locks as w on w.pid = $1 and not w.granted
            order by a.pid
            """,
            self._pid,
        )
        return "; ".join(
            f"process {row['pid']} ({row['usename'] or row['backend_type'] or 'unknown'}"
            + (f", {row['application_name']}" if row["application_name"] else "")
            + ")"
            + (f" holds {row['modes']} on {row['relation']}" if row["modes"] else " is in the way")
            for row in rows
        )
