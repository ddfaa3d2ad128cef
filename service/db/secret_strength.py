"""Refuses chosen SIP passwords that are easily guessed, and lists the stored ones that are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass

import asyncpg

from service.db import sql
from service.db.pool import Database
from service.domain.models import Finding, Verdict
from service.domain.weak_secrets import find_weakness
from service.errors import WeakSecret

SQL = sql.load("secret_strength")
DEADLINE = 60.0
"""Seconds for reading all SIP passwords: 20,000 encrypted ones take about a second."""
MAX_NAMED = 20
"""Endpoints that a finding of `check` names, for each call server."""
PART = "postgresql"
REMEDY = "give them new ones: extension rotate on a managed call server; on an imported one in Asterisk, then import"
Connection = asyncpg.pool.PoolConnectionProxy


@dataclass(frozen=True, slots=True)
class WeakPhone:
    """A phone with an easily guessed SIP password, and the reason, which holds no part of it."""

    call_server: str
    endpoint: str
    reason: str

    def __str__(self) -> str:
        return f"{self.endpoint} ({self.reason})"


async def refuse_weak(connection: Connection, number: str, secret: str) -> None:
    """Raise WeakSecret for a chosen SIP password of this extension. The extension and its person are stored."""
    row = await connection.fetchrow(SQL["names"], number)
    reason = find_weakness(secret, _names(row) if row is not None else [number])
    if reason is not None:
        raise WeakSecret(f"the SIP password is easily guessed: {reason}")


async def list_weak(connection: Connection) -> list[WeakPhone]:
    """List the phones whose SIP password is easily guessed. Those that no key of this session opens are left out."""
    rows = await connection.fetch(SQL["phones"], timeout=DEADLINE)
    return [
        WeakPhone(row["call_server"], row["endpoint"], reason)
        for row in rows
        if row["secret"] is not None and (reason := find_weakness(row["secret"], [row["endpoint"], *_names(row)]))
    ]


async def check_strength(database: Database) -> AsyncIterator[Finding]:
    """Yield a finding for each call server with easily guessed SIP passwords. It names phones, and no password."""
    async with database.connection(DEADLINE) as connection:
        weak = await list_weak(connection)
    by_call_server: dict[str, list[WeakPhone]] = defaultdict(list)
    for phone in weak:
        by_call_server[phone.call_server].append(phone)
    for call_server, phones in by_call_server.items():
        named = ", ".join(map(str, phones[:MAX_NAMED])) + (", …" if len(phones) > MAX_NAMED else "")
        what = f"{len(phones)} SIP passwords of call server {call_server} are easily guessed: {named}"
        yield Finding(PART, what, REMEDY, otherwise=Verdict.WEAK)


def _names(row: asyncpg.Record) -> list[str | None]:
    single = ("extension", "local_number", "name", "fullname", "first_name", "last_name", "email")
    return [*(row[name] for name in single), *row["usernames"]]
