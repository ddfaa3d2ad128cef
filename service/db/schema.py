"""The schema's revision, and whether it fits this release.

`migrate` records each migration in `schema_migrations`. A schema fits a release if it has all of the release's
revisions. It may have newer ones, unless one of those names an oldest compatible revision that the release does not
know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import asyncpg
import structlog

from service.db.migrations import all_migrations

log = structlog.get_logger(__name__)

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy

LOCK = 0x636F6E6E
"""The advisory lock of a running `migrate` ("conn" in ASCII). The previous release uses the same."""
WRITTEN = (
    *("users", "tokens", "board_codes", "stream_tickets", "activity", "imports"),
    *("extensions", "phones", "phone_setups", "phone_activity"),
    *("registration_writers", "registration_observations", "registration_changes", "registration_overflows"),
)
"""Tables that the service reads and writes."""
APPENDED = ("audit",)
"""Tables to which the service only adds rows, and which it reads."""
READ = ("call_servers", "service_keys", "live_extensions", "live_phones", "schema_migrations")
"""Tables and views that the service only reads."""
ENCODING = "UTF8"
"""The required encoding. In others some names cannot be stored, or are confused with others."""
RECODE = "make a database with `create database … encoding 'UTF8' template template0`, and restore a dump into it"
SEQUENCES = ("users_user_id_seq", "phones_phone_id_seq")
REMEDY = "run `python -m service migrate` as the owner"


@dataclass(frozen=True)
class Schema:
    """The revisions of a database. `oldest` is the revision that a release must know to be compatible."""

    revisions: frozenset[str] = frozenset()
    oldest: str = ""

    @property
    def newest(self) -> str:
        return max(self.revisions, default="none")

    def missing(self, known: Iterable[str]) -> list[str]:
        """Return the revisions of a release that the database lacks."""
        return sorted(set(known) - self.revisions)

    def find_problem(self, known: Iterable[str]) -> str | None:
        """Say why the schema does not fit a release with these revisions, and the remedy. None if it fits."""
        known = set(known)
        needed = max(known)
        if self.missing(known):
            return f"the schema has revision {self.newest}, this release needs {needed}: {REMEDY}"
        return self.find_incompatibility(known)

    def find_incompatibility(self, known: Iterable[str]) -> str | None:
        """Say why the schema is too new for a release; its `migrate` cannot help. None if it is not."""
        if self.oldest <= (newest := max(known)):
            return None
        return (
            f"the schema has revision {self.newest}, which releases before revision {self.oldest} cannot use; "
            f"this one knows {newest}: start a newer release"
        )


def known_revisions() -> list[str]:
    """Return this release's revisions, in order."""
    return [migration.revision for migration in all_migrations()]


async def read(connection: Connection) -> Schema:
    """Read the schema's revisions; a role that may not read them sees none."""
    if not await connection.fetchval(
        "select coalesce(has_table_privilege(to_regclass('schema_migrations'), 'select'), false)"
    ):
        return await _read_alembic_version(connection)
    rows = await connection.fetch("select revision, oldest from schema_migrations")
    return Schema(frozenset(row["revision"] for row in rows), max((row["oldest"] or "" for row in rows), default=""))


async def _read_alembic_version(connection: Connection) -> Schema:
    """Read the first release's record: it kept its only revision in `alembic_version`."""
    if await connection.fetchval(
        "select coalesce(has_table_privilege(to_regclass('alembic_version'), 'select'), false)"
    ):
        rows = await connection.fetch("select version_num from alembic_version")
        return Schema(frozenset(row["version_num"] for row in rows))
    return Schema()


async def find_migrate_process(connection: Connection) -> int | None:
    """Return the PostgreSQL process id of a `migrate` that runs in this database."""
    pid: int | None = await connection.fetchval(
        """
        select pid from pg_locks
        where locktype = 'advisory' and granted and classid = 0 and objid = $1 and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
        """,
        LOCK,
    )
    return pid


async def find_problem(connection: Connection) -> str | None:
    """Say why this release cannot start as this role, and the remedy. None if it can. Logs a newer schema."""
    schema, known = await read(connection), known_revisions()
    if (problem := schema.find_problem(known)) is not None:
        return problem
    if missing := await missing_privileges(connection, (*WRITTEN, *APPENDED, *READ), ("select",)):
        return f"the service's role may not {missing[0]}: {REMEDY}"
    if schema.newest > max(known):
        log.info("schema_newer_than_release", revision=schema.newest, known_revision=max(known))
    return None


async def missing_privileges(connection: Connection, tables: Iterable[str], privileges: Iterable[str]) -> list[str]:
    """List the privileges that the connection's role lacks, such as `select on tokens`."""
    rows = await connection.fetch(
        """
        select privilege || ' on ' || name as what
        from unnest($1::text[]) as name, unnest($2::text[]) as privilege
        where not coalesce(has_table_privilege(to_regclass(name), privilege), false)
        order by 1
        """,
        list(tables),
        list(privileges),
    )
    return [row["what"] for row in rows]
