"""Makes a backup of the database, and restores one into an empty database, as the owner."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import asyncpg

from service import __version__
from service.db import audit, backup_file, postgres_programs, roles, schema, sql
from service.db.connection import DatabaseLogin
from service.db.errors import translated
from service.db.migrate import migrate
from service.domain.audit import Action, AuditedChange, Origin
from service.domain.backup_manifest import FORMAT, Manifest
from service.errors import ConfigurationError, Refused, ServiceError
from service.settings import Settings

SQL = sql.load("backup")
APPLICATION = "asterisk-connector backup"
QUERY_DEADLINE = 60.0
DUMP = ("--format=custom", "--lock-wait-timeout=60000")
RESTORE = ("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction")


async def make(settings: Settings, target: Path, *, origin: Origin) -> tuple[Manifest, int]:
    """Make a backup in a new file. Returns its manifest and its size in bytes. Raises Refused, ConfigurationError.

    Its audit row is written first, so that no copy of the secrets leaves without one.
    """
    backup_file.refuse_existing(target)
    async with _owner(settings) as connection:
        if (problem := (await schema.read(connection)).find_problem(schema.known_revisions())) is not None:
            raise ConfigurationError(problem)
        program = await postgres_programs.find("pg_dump", _major(connection))
        with backup_file.temporary(target) as dump:
            change = AuditedChange(Action.BACKUP_MADE, None, origin, {"file": target.name})
            await audit.record(connection, change)
            async with connection.transaction(isolation="repeatable_read", readonly=True):
                snapshot = await connection.fetchval("select pg_export_snapshot()")
                manifest = await _describe(connection, settings, program.major)
                await postgres_programs.run(program, (*DUMP, f"--snapshot={snapshot}"), settings, target=dump)
            return manifest, backup_file.write(target, manifest, dump)


async def _describe(connection: asyncpg.Connection, settings: Settings, dump_major: int) -> Manifest:
    revisions = (await schema.read(connection)).revisions
    secrets = await connection.fetchrow(SQL["secrets"])
    assert secrets is not None
    keys = await connection.fetch(SQL["keys"])
    rows = await connection.fetchrow(SQL["rows"])
    assert rows is not None
    asterisks = await connection.fetch(SQL["roles"])
    return Manifest(
        format=FORMAT,
        version=__version__,
        made_at=datetime.now(UTC).replace(microsecond=0),
        database=await connection.fetchval("select current_database()"),
        revisions=sorted(revisions),
        server_major=_major(connection),
        dump_major=dump_major,
        keys={row["name"]: row["phones"] for row in keys},
        plain_secrets=secrets["plain"],
        roles={
            "owner": await connection.fetchval("select current_user::text"),
            "service": roles.service_role(settings),
            **{f"call server {row['name']}": row["database_role"] for row in asterisks},
        },
        rows=dict(rows),
    )


async def check_target(
    settings: Settings, manifest: Manifest, *, without_key: bool = False
) -> postgres_programs.Program:
    """Check that a backup can be restored, and return the program that restores it. Changes nothing.

    Raises Refused for what the backup or the database forbid, ConfigurationError for settings and programs.
    """
    if (problem := manifest.find_newer_schema(schema.known_revisions())) is not None:
        raise Refused(problem)
    keys = [key.name for key in settings.secret_keys]
    if not without_key and (problem := manifest.find_missing_keys(keys)) is not None:
        raise Refused(problem)
    roles.validate(settings)
    async with _owner(settings) as connection:
        name = await connection.fetchval("select current_database()")
        encoding = await connection.fetchval("show server_encoding")
        if encoding != schema.ENCODING:
            raise Refused(f"the encoding of database {name} is {encoding}, needed {schema.ENCODING}: {schema.RECODE}")
        if found := await connection.fetchval(SQL["contents"]):
            raise Refused(
                f"database {name} is not empty, it holds {found}: a backup is restored into an empty database only. To "
                f"replace it, stop the service, then `drop database {name} with (force)` and create it again"
            )
        if (major := _major(connection)) < manifest.server_major:
            raise Refused(
                f"the backup is of PostgreSQL {manifest.server_major}, and this is version {major}: restore it into "
                f"version {manifest.server_major} or newer"
            )
        return await postgres_programs.find("pg_restore", max(manifest.dump_major, major))


async def restore(
    settings: Settings, backup: backup_file.Backup, program: postgres_programs.Program, *, origin: Origin
) -> None:
    """Restore a checked backup in one transaction, then `migrate`, which also makes the roles. Raises Refused."""
    await postgres_programs.run(program, RESTORE, settings, source=backup.dump)
    try:
        await migrate(settings)
    except ServiceError as error:
        raise Refused(f"the data is restored, and migrate failed: {error}. Mend that, then run migrate") from None
    async with _owner(settings) as connection:
        made_at = backup.manifest.made_at.isoformat()
        change = AuditedChange(
            Action.BACKUP_RESTORED, None, origin, {"made_at": made_at, "version": backup.manifest.version}
        )
        await audit.record(connection, change)


@contextlib.asynccontextmanager
async def _owner(settings: Settings) -> AsyncIterator[asyncpg.Connection]:
    """A session of the owner. It may write where sessions are read-only by default."""
    login = DatabaseLogin.of_owner(settings)
    with translated(lambda: True):
        connection = await login.connect(
            command_timeout=QUERY_DEADLINE,
            server_settings={
                "application_name": APPLICATION,
                "default_transaction_read_only": "off",
                "idle_in_transaction_session_timeout": "0",
            },
        )
        try:
            yield connection
        finally:
            connection.terminate()


def _major(connection: asyncpg.Connection) -> int:
    return int(connection.get_server_version().major)
