"""The keys of SIP passwords that a session has: they come in its startup packet, which some poolers refuse or drop."""

from __future__ import annotations

from collections.abc import Iterable

import asyncpg

from service.db import sql
from service.domain.secret_keys import MasterKey
from service.errors import ConfigurationError, DatabaseUnavailable

SQL = sql.load("secrets")
Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
PARAMETER = "connector.master_keys"
DROPPED = (
    f"a pooler drops the connection parameter {PARAMETER}: give a URL that leads to PostgreSQL directly, "
    "or run without CONNECTOR_SECRETS_KEY"
)
REFUSED = (
    f"a pooler refuses the connection parameter {PARAMETER}: give a URL that leads to PostgreSQL directly, "
    "or run without CONNECTOR_SECRETS_KEY"
)
FOLLOWER = "asterisk-connector changes"
"""Application name of the session by which a serving process follows changes."""
_NAMES = ", keys "


class KeysRefused(DatabaseUnavailable):
    """Something between the service and PostgreSQL refuses the parameter that carries the keys."""


async def require_keys(connection: Connection) -> None:
    """Raise ConfigurationError if the keys have not come along with the connection."""
    if not await connection.fetchval(SQL["arrived"]):
        raise ConfigurationError(DROPPED)


def follower_name(keys: Iterable[MasterKey]) -> str:
    """Return the application name of a serving process: it tells `secrets rekey` which keys the process has."""
    names = " ".join(key.name for key in keys)
    return f"{FOLLOWER}{_NAMES}{names}" if names else FOLLOWER


async def processes_without(connection: Connection, key_name: str) -> int:
    """Count the serving processes that do not have a key, or are of a release that knows none."""
    rows = await connection.fetch(SQL["followers"])
    names = (row["application_name"].partition(_NAMES)[2].split() for row in rows)
    return sum(key_name not in keys for keys in names)
