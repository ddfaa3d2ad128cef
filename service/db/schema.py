"""Which revision the database's schema has, and whether this release can live with it.

`migrate` notes each migration in `schema_migrations`. A release can live with a schema that has all of its own
revisions, and any newer ones, unless one of those names an oldest release that is newer than this one.
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
"""The advisory lock that one `migrate` at a time holds ("conn" in ASCII), in the release before as well."""
WRITTEN = ("users", "tokens", "stream_tickets", "activity", "extensions")
"""Tables whose rows the service reads and writes."""
READ = ("call_servers", "service_keys", "live_extensions", "schema_migrations")
"""Tables and views that it only reads."""
ENCODING = "UTF8"
RECODE = "make a database with `create database … encoding 'UTF8' template template0`, and restore a dump into it"
"""In another encoding, or in none, there are names that cannot be stored, or mean somebody else."""
SEQUENCES = ("users_user_id_seq",)
REMEDY = "run `python -m service migrate` as the owner"


@dataclass(frozen=True)
class Schema:
    """The revisions that a database has. `oldest` is what a release must know to live with all of them."""

    revisions: frozenset[str] = frozenset()
    oldest: str = ""

    @property
    def newest(self) -> str:
        return max(self.revisions, default="none")

    def missing(self, known: Iterable[str]) -> list[str]:
        """Which of the revisions that a release knows are not there."""
        return sorted(set(known) - self.revisions)

    def problem(self, known: Iterable[str]) -> str | None:
        """Why a release that knows these revisions cannot live with the schema, and what to do. None if it can."""
        known = set(known)
        needed = max(known)
        if self.missing(known):
            return f"the schema has revision {self.newest}, this release needs {needed}: {REMEDY}"
        return self.too_new(known)

    def too_new(self, known: Iterable[str]) -> str | None:
        """The same for what no `migrate` of that release can mend."""
        if self.oldest <= (newest := max(known)):
            return None
        return (
            f"the schema has revision {self.newest}, which releases before revision {self.oldest} cannot use; "
            f"this one knows {newest}: start a newer release"
        )


def known_revisions() -> list[str]:
    """This release's own, in order."""
    return [migration.revision for migration in all_migrations()]


async def read(connection: Connection) -> Schema:
    """The schema's revisions, as any role that may read them sees them."""
    if not await connection.fetchval(
        "select coalesce(has_table_privilege(to_regclass('schema_migrations'), 'select'), false)"
    ):
        return await _before_the_table(connection)
    rows = await connection.fetch("select revision, oldest from schema_migrations")
    return Schema(frozenset(row["revision"] for row in rows), max((row["oldest"] or "" for row in rows), default=""))


async def _before_the_table(connection: Connection) -> Schema:
    """The first release noted its only revision in `alembic_version`."""
    if await connection.fetchval(
        "select coalesce(has_table_privilege(to_regclass('alembic_version'), 'select'), false)"
    ):
        rows = await connection.fetch("select version_num from alembic_version")
        return Schema(frozenset(row["version_num"] for row in rows))
    return Schema()


async def migrating(connection: Connection) -> int | None:
    """The process id of the `migrate` that is under way in this database."""
    pid: int | None = await connection.fetchval(
        """
        select pid from pg_locks
        where locktype = 'advisory' and granted and classid = 0 and objid = $1 and objsubid = 1
            and database = (select oid from pg_database where datname = current_database())
        """,
        LOCK,
    )
    return pid


async def problem(connection: Connection) -> str | None:
    """Why this release cannot start as the role that asks, and what to do. None if it can; a newer schema is logged."""
    found, known = await read(connection), known_revisions()
    if (why := found.problem(known)) is not None:
        return why
    if forbidden := await lacking(connection, (*WRITTEN, *READ), ("select",)):
        return f"the service's role may not {forbidden[0]}: {REMEDY}"
    if found.newest > max(known):
        log.info("schema_newer_than_release", revision=found.newest, known_revision=max(known))
    return None


async def lacking(connection: Connection, tables: Iterable[str], privileges: Iterable[str]) -> list[str]:
    """What the role that asks may not do, of all that is named: `select on tokens`."""
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
