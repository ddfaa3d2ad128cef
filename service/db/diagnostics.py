"""What `check` asks PostgreSQL: is everything there, and permitted?"""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from service import demo_exposure
from service.db import schema, sql
from service.db.pool import Database
from service.db.roles import VIEWS
from service.db.schema import ENCODING, RECODE
from service.domain.models import Finding
from service.domain.names import may_be_given
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import Settings

MIGRATE = schema.REMEDY
PART = "postgresql"
WRITING = ("select", "insert", "update", "delete")
DEMO = sql.load("demo")["is_here"]


async def check(settings: Settings, opened: Database) -> AsyncIterator[Finding]:
    """The findings, one after the other. What depends on a failed one is left out."""
    try:
        async with opened as database, database.connection() as connection:
            version = await connection.fetchval("show server_version")
            yield Finding(PART, f"{settings.database_url} lets us in, version {version}")
            encoding = await connection.fetchval("show server_encoding")
            yield Finding(PART, f"encoding {encoding}, needed {ENCODING}", None if encoding == ENCODING else RECODE)
            found, known = await schema.read(connection), schema.known_revisions()
            yield Finding(PART, f"schema {found.newest}, needed {max(known)}", found.problem(known))
            if not found.revisions:
                return
            may_create = await connection.fetchval("select has_schema_privilege('public', 'create')")
            mend = "revoke create on schema public from the service's role, and do not let it own anything"
            yield Finding(PART, "the service's role can make no tables", mend if may_create else None)
            for tables, privileges in ((schema.WRITTEN, WRITING), (schema.READ, ("select",))):
                for table in tables:
                    lacks = await schema.lacking(connection, [table], privileges)
                    remedy = f"it lacks {', '.join(lacks)}: {MIGRATE}" if lacks else None
                    yield Finding(PART, f"the service may use {table}", remedy)
            if await connection.fetchval(DEMO, list(demo_exposure.UIDS), demo_exposure.ADMIN_TOKEN_HASH):
                yield _demo(settings)
            people = await connection.fetch("select user_id, name, email from users order by user_id")
            odd = [str(row["user_id"]) for row in people if not may_be_given(row["name"], row["email"])]
            if odd:
                what = f"a name or e-mail that looks like another: user_id {', '.join(odd[:20])}, {len(odd)} in all"
                yield Finding(PART, what, "give each another with PATCH /user/{user_id}", needed=False)
            for name, server in settings.call_servers.items():
                role = await connection.fetchval("select database_role from call_servers where name = $1", name)
                fits = role is not None and role == server.database_role
                yield Finding(
                    PART, f"call server {name} reads as role {role or 'none'}", None if fits or role else MIGRATE
                )
                there = role and await connection.fetchval("select true from pg_roles where rolname = $1", role)
                if role and not there:
                    yield Finding(PART, f"there is no role {role}", MIGRATE)
                for view in VIEWS if there else ():
                    may = await connection.fetchval("select has_table_privilege($1, $2, 'select')", role, view)
                    yield Finding(PART, f"{role} may read {view}", None if may else MIGRATE)
    except asyncpg.PostgresError as error:  # something that nobody foresaw is no reason to say nothing of the rest
        yield Finding(PART, f"a question failed: {error}", MIGRATE)
    except (ConfigurationError, DatabaseUnavailable) as error:
        yield Finding(PART, str(error), "start it, or mend CONNECTOR_DATABASE_URL and its password")


def _demo(settings: Settings) -> Finding:
    """Whether others can use the demo's token and people, or could if they reached this service."""
    how = demo_exposure.exposure(settings)
    what = "the demo's people, token and passwords, which are public, are in the database"
    if how is None:
        return Finding(PART, f"{what}; only this machine reaches them", "keep it so", needed=False)
    return Finding(PART, f"{what}; others reach them: {how}", "start with an empty database", not settings.allow_demo)
