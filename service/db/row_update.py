"""Statements that change a single row, chosen by its key."""

from __future__ import annotations

from typing import Any

from service.db.pool import Database
from service.errors import NotFound


async def update_row(database: Database, statement: str, *values: Any, missing: NotFound) -> None:
    """Run a statement that returns the changed row. Raises `missing` if it returns none."""
    async with database.connection() as connection:
        if await connection.fetchval(statement, *values) is None:
            raise missing
