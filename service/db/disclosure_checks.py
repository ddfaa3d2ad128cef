"""Checks where PostgreSQL shows values of statements beside its tables: on the network, and in its log."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from service.domain.clear_text import find_readable
from service.domain.models import Finding

LOGGED = "PostgreSQL logs statements with their values, new SIP passwords and hashes of passwords and tokens among them"
LOGGED_REMEDY = "set log_parameter_max_length = 0 in postgresql.conf, or guard its log like a dump"
TLS_REMEDY = "append ?sslmode=verify-full to CONNECTOR_DATABASE_URL"


async def check(part: str, connection: asyncpg.pool.PoolConnectionProxy) -> AsyncIterator[Finding]:
    """Yield what others could read. No finding where nobody can."""
    (row,) = await connection.fetch(
        """
        select
            coalesce((select ssl from pg_stat_ssl where pid = pg_backend_pid()), false) as encrypted,
            host(inet_client_addr()) as address,
            current_setting('log_parameter_max_length') <> '0' and (
                current_setting('log_statement') in ('mod', 'all')
                or current_setting('log_min_duration_statement') <> '-1'
                or current_setting('log_min_duration_sample') <> '-1'
                or current_setting('log_transaction_sample_rate')::float8 > 0
            ) as logs_values
        """
    )
    if not row["encrypted"] and (finding := find_readable(part, "the connection", row["address"], TLS_REMEDY)):
        yield finding
    if row["logs_values"]:
        yield Finding(part, LOGGED, LOGGED_REMEDY, needed=False)
