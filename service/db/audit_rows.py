"""Rows of the audit trail: those of batches, pages for readers, and retention."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.db import sql
from service.db.audit import columns, record
from service.db.connection import DatabaseLogin
from service.db.errors import translated
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Detail, Origin
from service.domain.audit_batches import BatchRow
from service.domain.timestamps import rfc3339_ms

SQL = sql.load("audit")
MAX_TOTAL = 10_000
"""Matches that are counted at most: counting a large trail takes seconds."""
FORGOTTEN_AT_ONCE = 10_000
"""Rows that one transaction removes at most."""
FORGET_DEADLINE = 60.0
"""Seconds for one of these transactions."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which rows; None matches all. `action` may be the beginning of several that ends with a dot, such as `user.`."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str | None = None
    subject: str | None = None
    action: str | None = None


async def append(database: Database, rows: Sequence[BatchRow]) -> None:
    """Add the rows of batches. A repetition after a lost answer adds them twice."""
    listed = []
    for row in rows:
        details = dict(row.change.details)
        if row.since is not None:
            details["since"] = rfc3339_ms(row.since)
        *values, encoded = columns(row.change, details)
        listed.append((row.at, *values, row.count, encoded))
    async with database.connection() as connection:
        await connection.execute(SQL["append"], *map(list, zip(*listed, strict=True)))


@retry_outdated_statements
async def page(database: Database, matching: AuditFilter, offset: int, limit: int) -> tuple[list[dict[str, Any]], int]:
    """A page of matching rows, newest first, and the number of all, counted up to MAX_TOTAL."""
    values = (matching.since, matching.until, matching.actor, matching.subject, matching.action)
    async with database.connection() as connection, connection.transaction(readonly=True):
        # A plan for any filter would read the whole table.
        await connection.execute("set local plan_cache_mode = force_custom_plan")
        rows = await connection.fetch(SQL["page"], *values, offset, limit)
        total: int = await connection.fetchval(SQL["total"], *values, MAX_TOTAL)
    return [dict(row) for row in rows], max(total, min(MAX_TOTAL, offset + len(rows)))


async def forget(owner: DatabaseLogin, before: datetime, *, origin: Origin) -> int:
    """Remove the rows from before a time, as the owner, in small transactions. Returns their number. Audits itself."""
    number: int = 0
    details: dict[str, Detail] = {"before": rfc3339_ms(before)}
    with translated():
        connection = await owner.connect(command_timeout=FORGET_DEADLINE)
        try:
            async with connection.transaction():
                await record(connection, AuditedChange(Action.AUDIT_PRUNED, None, origin, details))
                number += await connection.fetchval(SQL["forget"], before, FORGOTTEN_AT_ONCE)
            while removed := await connection.fetchval(SQL["forget"], before, FORGOTTEN_AT_ONCE):
                number += removed
        finally:
            connection.terminate()
    return number
