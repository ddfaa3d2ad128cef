"""The audit trail in PostgreSQL. The service's role adds and reads rows; only the owner can remove them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import asyncpg

from service.db import sql
from service.domain.audit import MAX_ADDRESS, MAX_NAME, MAX_REQUEST_ID, AuditedChange, Detail

SQL = sql.load("audit")
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
MAX_DETAILS, MAX_DETAIL, MAX_ITEMS = 4_000, 200, 20
"""Characters of all details together and of one, and items of a list."""


async def record(connection: Connection, change: AuditedChange) -> None:
    """Add the row of a change. Call it in the change's own transaction: neither is then stored without the other."""
    await connection.execute(SQL["record"], *columns(change, change.details))


def columns(change: AuditedChange, details: Mapping[str, Detail]) -> tuple[Any, ...]:
    """The values of a row, from `action` to `details`."""
    subject, origin = change.subject, change.origin
    return (
        change.action,
        origin.actor.kind,
        origin.actor.user_id,
        storable(origin.actor.name, MAX_NAME),
        subject.kind if subject is not None else None,
        subject.id if subject is not None else None,
        storable(subject.name, MAX_NAME) if subject is not None else None,
        storable(origin.address, MAX_ADDRESS),
        storable(origin.request_id, MAX_REQUEST_ID),
        encode_details(details),
    )


def encode_details(details: Mapping[str, Detail]) -> str:
    """Encode details as JSON that fits the column, whatever was typed."""
    encoded = json.dumps({name: _bounded(value) for name, value in details.items()})
    return encoded if len(encoded) <= MAX_DETAILS else '{"details": "too large"}'


def storable(text: str | None, limit: int) -> str | None:
    """Cut a text to a limit, and replace what PostgreSQL cannot store: a change must not fail for its audit row."""
    if text is None:
        return None
    return text[:limit].replace("\0", "\ufffd").encode("utf-8", "replace").decode()


def _bounded(value: Detail) -> Detail:
    if isinstance(value, str):
        return storable(value, MAX_DETAIL) or ""
    if isinstance(value, list):
        return [storable(item, MAX_DETAIL // 2) or "" for item in value[:MAX_ITEMS]]
    return value
