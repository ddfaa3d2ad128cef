"""Random keys that all replicas share."""

from __future__ import annotations

from service.db.pool import Database
from service.errors import ConfigurationError


async def tag_key(database: Database) -> bytes:
    """Fetch the key of the entity tags. Raises ConfigurationError on a database that was never migrated."""
    async with database.connection() as connection:
        if not await connection.fetchval("select to_regclass('service_keys') is not null"):
            raise ConfigurationError("the database has no tables yet: run `python -m service migrate` first")
        key: bytes | None = await connection.fetchval("select key from service_keys where name = 'etag'")
    if key is None:
        raise ConfigurationError("the database lost its etag key: insert a row into service_keys")
    return key
