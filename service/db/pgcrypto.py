"""PostgreSQL's extension `pgcrypto`, whose functions encrypt SIP passwords."""

from __future__ import annotations

import asyncpg

from service.db import sql
from service.errors import Refused

SQL = sql.load("secrets")
SCHEMA = "public"
"""The functions of the database name it: a dump is restored with an empty search path."""
CREATE = f"create extension pgcrypto schema {SCHEMA}"


async def ensure_pgcrypto(connection: asyncpg.Connection) -> None:
    """Create the extension as the database's owner. Raises Refused, one line with the remedy."""
    schema = await connection.fetchval(SQL["pgcrypto"])
    if schema is None:
        try:
            await connection.execute(CREATE)
        except asyncpg.DuplicateObjectError:  # somebody else was faster
            return await ensure_pgcrypto(connection)
        except asyncpg.InsufficientPrivilegeError:
            raise Refused(f"the owner may not create the extension pgcrypto: run `{CREATE}` as superuser") from None
        except asyncpg.PostgresError as error:
            raise Refused(
                f"PostgreSQL cannot create the extension pgcrypto: {error.args[0]}; "
                "install PostgreSQL's contrib modules on its server"
            ) from None
    elif schema != SCHEMA:
        raise Refused(
            f"the extension pgcrypto is in schema {schema}: "
            f"run `alter extension pgcrypto set schema {SCHEMA}` as superuser"
        )
    return None
