"""The schema's revision at a start: too old, newer, too new, without rights. One line says what to do, with code 2."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from service.db.migrate import migrate
from service.db.schema import known_revisions
from service.errors import ConfigurationError
from tests.support import command_line
from tests.support.database import SERVICE, TestDatabase
from tests.support.eventually import eventually
from tests.support.served import served

NEWEST = known_revisions()[-1]
OF_THE_FIRST_RELEASE = "drop table schema_migrations"
NEWER = "insert into schema_migrations (revision, name, oldest) values ('9001', '9001_next', {})"
RUN_MIGRATE = "run `python -m service migrate` as the owner"
REFUSALS = {
    OF_THE_FIRST_RELEASE: f"the schema has revision 0001, this release needs {NEWEST}: {RUN_MIGRATE}",
    "drop table schema_migrations, alembic_version": f"the schema has revision none, this release needs {NEWEST}",
    "delete from schema_migrations where revision > '0001'": f"this release needs {NEWEST}: {RUN_MIGRATE}",
    NEWER.format("'9001'"): "the schema has revision 9001, which releases before revision 9001 cannot use",
    "revoke select on tokens from connector_service": f"the service's role may not select on tokens: {RUN_MIGRATE}",
    "revoke select on schema_migrations, alembic_version from connector_service": RUN_MIGRATE,
}


@pytest.mark.parametrize("change", REFUSALS)
def test_a_command_refuses_a_schema_that_is_not_for_it(
    database: TestDatabase, change: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database.server.sql(change, database.name)
    variables = command_line.environment(database)
    done = command_line.in_this_process(monkeypatch, capsys, variables, "user", "list")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")
    assert REFUSALS[change] in done.stderr
    assert done.stderr.count("\n") == 1
    checked = command_line.in_this_process(monkeypatch, capsys, variables, "check")
    assert checked.returncode == 1
    assert REFUSALS[change].partition(": ")[2] in checked.stdout


@pytest.mark.parametrize("oldest", ["null", "'0001'", f"'{NEWEST}'"])
def test_a_newer_schema_is_used_and_said(
    database: TestDatabase, oldest: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    database.server.sql(NEWER.format(oldest), database.name)
    done = command_line.in_this_process(monkeypatch, capsys, command_line.environment(database), "user", "list")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_service_ends_with_one_line_and_starts_after_migrate(
    database: TestDatabase, tmp_path: Path, workers: str
) -> None:
    await database.execute(OF_THE_FIRST_RELEASE)
    async with served(database, tmp_path, WORKERS=workers) as service:
        assert await service.ended() == 2
        assert f"error: {REFUSALS[OF_THE_FIRST_RELEASE]}\n" in service.log
        assert "Traceback" not in service.log


async def test_migrate_of_a_release_that_the_schema_has_left_behind_changes_nothing(database: TestDatabase) -> None:
    await database.execute(NEWER.format("'9001'"))
    await database.execute("drop table stream_tickets")  # as a contract step would
    with pytest.raises(ConfigurationError, match=r"before revision 9001 cannot use; .* start a newer release"):
        await migrate(database.settings())


async def test_what_is_right_already_is_not_touched(database: TestDatabase) -> None:
    """Not a row of a catalogue is written, and no password: a pooler may keep a copy of its verifier."""
    catalogues = """
        select 'class', oid, xmin, relacl::text from pg_class where relnamespace = 'public'::regnamespace
        union all select 'database', oid, xmin, datacl::text from pg_database where datname = current_database()
        union all select 'namespace', oid, xmin, nspacl::text from pg_namespace where nspname = 'public'
        union all select 'role', oid, xmin, rolpassword from pg_authid where rolcanlogin
        union all select 'row', 0, xmin, name from call_servers
        order by 1, 2
    """
    await migrate(database.settings())  # a clone lacks what is granted on the database itself
    before = await asyncio.to_thread(database.server.sql, catalogues, database.name)
    assert "SCRAM-SHA-256" in before
    await migrate(database.settings())
    assert await asyncio.to_thread(database.server.sql, catalogues, database.name) == before


async def test_a_role_that_somebody_else_changes_at_the_same_time_is_changed_after_them(database: TestDatabase) -> None:
    """Roles are the cluster's: another database's `migrate` does not share our lock."""
    other = await database.connect(database.server.superuser)
    transaction = other.transaction()
    await transaction.start()
    await other.execute(f"alter role {SERVICE} password 'another-1'")
    changing = asyncio.create_task(migrate(database.settings(database_password="another-2")))
    try:
        waits = "select from pg_locks where not granted and locktype = 'transactionid'"
        await eventually(lambda: database.rows(waits), what="migrate waits")
        await transaction.commit()
        await changing
        login = command_line.environment(database, DATABASE_PASSWORD="another-2")
        done = await asyncio.to_thread(command_line.command, login, "user", "list")
        assert done.returncode == 0, done.stderr
    finally:
        await other.close()
        await migrate(database.settings())
