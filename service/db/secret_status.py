"""How SIP passwords are stored, by call server: encrypted with which key, in plain text, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import asyncpg

from service.db import sql

SQL = sql.load("secrets")
DEADLINE = 60.0
"""Seconds for the statement, which opens each password: 20,000 take about a second."""


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """The stored SIP passwords of one call server. The counts are of phones."""

    call_server: str
    credentials: str
    key_name: str | None
    """The key that encrypts new passwords; None: they are stored in plain text."""
    phones: int
    plain: int
    encrypted: int
    """With that key."""
    other_key: int
    keys: Sequence[str]
    """The names of all keys that encrypt one."""
    without: int
    unreadable: int
    """Encrypted with a key that this process does not have."""

    def facts(self) -> dict[str, Any]:
        return asdict(self)

    def cells(self) -> tuple[Any, ...]:
        """Return a row for people; other keys with their names."""
        others = [name for name in self.keys if name != self.key_name]
        other_key = f"{self.other_key} ({' '.join(others)})" if others else str(self.other_key)
        return (
            *(self.call_server, self.credentials, self.key_name, self.phones),
            *(self.encrypted, other_key, self.plain, self.without, self.unreadable),
        )


async def secret_status(connection: asyncpg.pool.PoolConnectionProxy) -> list[SecretStatus]:
    """Read the status of each call server, within DEADLINE."""
    return [SecretStatus(**row) for row in await connection.fetch(SQL["status"], timeout=DEADLINE)]
