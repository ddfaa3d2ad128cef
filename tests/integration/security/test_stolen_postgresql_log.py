"""What stands in PostgreSQL's own log while the service works, by how much that log is told to say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.db import disclosure_checks, phone_secrets
from service.db.pool import Database
from service.domain.models import Finding, Verdict
from tests.support.database import scratch
from tests.support.origins import PREPARED
from tests.support.worked_cluster import Worked, cluster, read_as_asterisk, worked

TALKATIVE = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_connections": "on",
    "log_disconnections": "on",
    "log_error_verbosity": "verbose",
    "log_min_error_statement": "debug5",
    "log_min_messages": "debug2",
    "debug_print_plan": "off",
    "log_parameter_max_length": "0",
}


@pytest.fixture(scope="module")
async def day(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Worked]:
    """A working day in front of a PostgreSQL that logs each statement, without values."""
    with cluster(scratch(tmp_path_factory.mktemp("talkative")), **TALKATIVE) as server:
        async with worked(server) as made:
            yield made


async def check_disclosures(day: Worked) -> list[Finding]:
    """What `check` says."""
    async with Database.of(day.settings) as database, database.connection() as connection:
        return [finding async for finding in disclosure_checks.check("postgresql", connection)]


async def rotate(day: Worked) -> str:
    """Give an extension another SIP password, and return it."""
    async with Database.of(day.settings) as database:
        await phone_secrets.rotate(database, "900", origin=PREPARED, overlap=0)
    return (await read_as_asterisk(day))["900"]


async def test_statements_without_values_hold_no_secret(day: Worked) -> None:
    log = day.postgresql_log
    assert b"update phones" in log
    assert b"alter role" in log
    assert b"SCRAM-SHA-256" in log, "a verifier of a role's password, from which it can be guessed, but not read"
    assert day.found_in(log) == []
    assert await check_disclosures(day) == []


async def test_an_error_with_a_secret_among_its_values_does_not_quote_them(day: Worked) -> None:
    """PostgreSQL quotes the values of a failed statement only if `log_parameter_max_length_on_error` is set."""
    before = len(day.postgresql_log)
    owner = await day.database.connect()
    try:
        with pytest.raises(Exception, match="lacks key"):
            await owner.execute("update phones set secret = $1 where endpoint = '900'", "typed-without-the-key")
    finally:
        await owner.close()
    said = day.postgresql_log[before:]
    assert b"lacks key" in said
    assert b"typed-without-the-key" not in said


async def test_values_in_the_log_are_secrets_and_check_says_so(day: Worked) -> None:
    """With PostgreSQL's default for `log_parameter_max_length`."""
    sql = day.database.server.sql
    await asyncio.to_thread(sql, "alter database connector set log_parameter_max_length = -1")
    try:
        secret = await rotate(day)
        assert secret.encode() in day.postgresql_log
        (finding,) = await check_disclosures(day)
        assert (finding.verdict, finding.what) == (Verdict.OPTIONAL, disclosure_checks.LOGGED)
    finally:
        await asyncio.to_thread(sql, "alter database connector reset log_parameter_max_length")
    assert (await rotate(day)).encode() not in day.postgresql_log


async def test_check_finds_no_fault_with_postgresqls_own_defaults(day: Worked) -> None:
    sql = day.database.server.sql
    for name in ("log_statement = 'none'", "log_min_duration_statement = -1", "log_parameter_max_length = -1"):
        await asyncio.to_thread(sql, f"alter database connector set {name}")
    try:
        assert await check_disclosures(day) == []
    finally:
        await asyncio.to_thread(sql, "alter database connector reset all")
