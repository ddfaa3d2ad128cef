"""Locks that a migration waits for, and for how long it may: whoever queues behind it waits as well.

A statement that waits for a strong lock blocks every later reader of the table, so such waits are short and tried
again. Where a strong lock is held already, the wait for the next one is shorter still: shorter than PostgreSQL's
`deadlock_timeout`, so that of two who wait for each other the migration gives up, and never the request.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any, TypeVar

import asyncpg

Result = TypeVar("Result")

LOOK_EVERY = 0.25
"""Seconds between two looks at who blocks a statement that takes long."""
CANCEL_DEADLINE = 2.0
"""Seconds that PostgreSQL may take to give up a statement."""
WAIT_SHARE = 0.5
"""Part of a request's deadline that a migration may wait for its first lock. With the default, 1.5 s: autovacuum gives
way after `deadlock_timeout`, 1 s."""
HOLD_SHARE = 0.15
"""Part of it in which, with a strong lock held, all others must have been had."""


class LockBudget:
    """How long one transaction may wait for its next lock."""

    def __init__(self, request_deadline: float) -> None:
        self._wait = request_deadline * WAIT_SHARE
        self._hold = request_deadline * HOLD_SHARE
        self._held_since: float | None = None

    @property
    def holding(self) -> bool:
        return self._held_since is not None

    def hold(self) -> None:
        """From now on others wait for this transaction."""
        self._held_since = time.monotonic()

    def milliseconds(self) -> int:
        """For `lock_timeout`; never 0, which means for ever."""
        wait = self._wait
        if self._held_since is not None:
            wait = self._hold - (time.monotonic() - self._held_since)
        return max(20, int(wait * 1000))


class Watcher:
    """Looks at a working connection through another one.

    That one must not be in a transaction: `create index concurrently` waits for transactions that look at anything, so
    the migration would wait for its own watcher, for ever.
    """

    def __init__(self, eye: asyncpg.Connection, work: asyncpg.Connection) -> None:
        self._eye = eye
        self._work = work
        self._pid = 0
        self.holders = ""
        """Who blocked the work when it was seen to wait last."""

    async def follow(self) -> None:
        """Learn the process that works now: a pooler tells the driver another one, and may change it."""
        self._pid = await self._work.fetchval("select pg_backend_pid()")

    async def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Do the work; while it takes long, note who blocks it. Raises what `work` does, or what the look raises.

        The look has a deadline, the work has none: it is given up with its connection when the look fails.
        """
        task = asyncio.create_task(work, name="migration statement")
        try:
            while not (await asyncio.wait({task}, timeout=LOOK_EVERY))[0]:
                self.holders = await self._blockers() or self.holders
            return task.result()
        finally:
            if not task.done():
                task.cancel()  # the driver asks PostgreSQL to stop too, which would not notice a closed connection
                if not (await asyncio.wait({task}, timeout=CANCEL_DEADLINE))[0]:
                    self._work.terminate()

    async def holds_what_others_wait_for(self) -> bool:
        """Whether the work holds a strong lock on a table that is not its own new one."""
        rows = await self._eye.fetch(
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
        rows = await self._eye.fetch(
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
