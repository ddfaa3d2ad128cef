"""The registration history in PostgreSQL. Times travel as ages, so that only PostgreSQL's clock counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from uuid import UUID

from service.db import sql
from service.db.pool import Database, retry_outdated_statements
from service.domain.registration_history import Change, Observation
from service.domain.registration_report import StoredChange, StoredHistory, StoredObservation

SQL = sql.load("registration_history")
LEASE = 30.0
"""Seconds for which a process stays the writer without renewing its lease."""
KEEP_DAYS = 30
MAX_PER_DAY = 100
"""Changes of an extension that are stored of a day; the others are counted."""
MAX_OBSERVATIONS = 1_000
"""Observations that a response is made of: the newest. What is older counts as not observed."""
PAGE = 500
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Lease:
    """`term` is this writer's; None if another process writes. `observed_age`: seconds since all is stored, if any."""

    term: int | None
    observed_age: float | None


async def lease(database: Database, call_server: str, holder: UUID) -> Lease:
    """Take or extend the lease of a call server's writer."""
    async with database.connection() as connection:
        term = await connection.fetchval(SQL["lease"], call_server, holder, LEASE)
        age = await connection.fetchval(SQL["observed_age"], call_server)
    return Lease(term, age)


async def release(database: Database, call_server: str, holder: UUID) -> None:
    """End the lease, so that another process need not wait for its end."""
    async with database.connection() as connection:
        await connection.execute(SQL["release"], call_server, holder)


async def last_values(database: Database, call_server: str, after: str) -> dict[str, bool | None]:
    """The last stored value of each extension, a page of them after an extension."""
    async with database.connection() as connection:
        rows = await connection.fetch(SQL["last_values"], call_server, after, PAGE)
    return {row["extension"]: row["registered"] for row in rows}


async def store(
    database: Database,
    call_server: str,
    holder: UUID,
    changes: Sequence[Change],
    observations: Sequence[Observation],
    clock: Callable[[], float],
) -> list[str] | None:
    """Store in one transaction. Returns the extensions of changes that were only counted; None without the lease."""
    async with database.connection() as connection, connection.transaction():
        now = clock()
        # The row stays locked until the commit, so nobody else becomes the writer meanwhile.
        if await connection.fetchval(SQL["lease"], call_server, holder, LEASE) is None:
            return None
        columns = (
            [change.extension for change in changes],
            [now - change.at for change in changes],
            [change.registered for change in changes],
            [change.exact for change in changes],
        )
        left_out = await connection.fetch(SQL["store"], *columns, MAX_PER_DAY) if changes else []
        for each in observations:
            await connection.execute(SQL["observe"], call_server, now - each.since, now - each.until)
        newest = max((*(change.at for change in changes), *(each.until for each in observations)))
        await connection.execute(SQL["observed_until"], call_server, now - newest)
    return [row["extension"] for row in left_out]


async def forget_old(database: Database) -> None:
    """Remove what is older than KEEP_DAYS."""
    async with database.connection() as connection:
        await connection.execute(SQL["forget"], KEEP_DAYS, FORGOTTEN_AT_ONCE)


@retry_outdated_statements
async def read(database: Database, extension: str, call_server: str, days: int) -> StoredHistory:
    """The history of an extension."""
    async with database.connection() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        changes = await connection.fetch(SQL["changes"], extension, days)
        observations = await connection.fetch(SQL["observations"], call_server, days, MAX_OBSERVATIONS)
        overflows = await connection.fetch(SQL["overflows"], extension, days)
    return StoredHistory(
        now=observations[0]["now"],
        changes=[StoredChange(row["at"], row["registered"], row["exact"]) for row in changes],
        observations=[StoredObservation(row["since"], row["until"]) for row in observations if row["since"]],
        left_out={row["day"]: row["left_out"] for row in overflows},
    )
