"""Statements that change a single row, chosen by its key."""

from __future__ import annotations

from typing import Any

from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import AuditedChange
from service.errors import NotFound


@retry_outdated_statements
async def update_row(
    database: Database, statement: str, *values: Any, missing: NotFound, change: AuditedChange
) -> None:
    """Run a statement that returns the changed row, and audit it. Raises `missing` if it returns none."""
    async with database.connection() as connection, connection.transaction():
        if await connection.fetchval(statement, *values) is None:
            raise missing
        await record(connection, change)
