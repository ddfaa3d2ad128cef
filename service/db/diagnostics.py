"""The checks of PostgreSQL that the `check` command runs: reachability, schema, privileges and data."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg

from service import demo_exposure
from service.db import disclosure_checks, ownership, schema, sql
from service.db.pool import Database
from service.db.roles import VIEWS
from service.db.schema import ENCODING, RECODE
from service.db.secret_checks import check_secrets
from service.db.secret_strength import check_strength
from service.domain.models import Credentials, Finding, Verdict
from service.domain.user_names import is_permitted
from service.errors import ConfigurationError, DatabaseUnavailable
from service.settings import CallServer, Settings

MIGRATE = schema.REMEDY
PART = "postgresql"
TLS = "select version || ' ' || cipher from pg_stat_ssl where pid = pg_backend_pid() and ssl"
WRITE_PRIVILEGES = ("select", "insert", "update", "delete")
APPEND_PRIVILEGES = ("select", "insert")
DEMO = sql.load("demo")["is_here"]
NO_ROLE = (
    "set CONNECTOR_CALL_SERVERS__{0}__DATABASE_ROLE and run migrate; or set CONNECTOR_CALL_SERVERS__{0}__CREDENTIALS="
    "imported if Asterisk keeps its own endpoints"
)


async def check(settings: Settings, database: Database) -> AsyncIterator[Finding]:
    """Yield the findings. Checks that depend on a failed one are skipped."""
    try:
        async with database as opened, opened.connection() as connection:
            version = await connection.fetchval("show server_version")
            yield Finding(PART, f"{settings.database_url} lets us in, version {version}")
            async for finding in disclosure_checks.check(PART, connection):
                yield finding
            if cipher := await connection.fetchval(TLS):
                yield Finding(PART, f"the connection is encrypted: {cipher}")
            encoding = await connection.fetchval("show server_encoding")
            yield Finding(PART, f"encoding {encoding}, needed {ENCODING}", None if encoding == ENCODING else RECODE)
            current, known = await schema.read(connection), schema.known_revisions()
            yield Finding(PART, f"schema {current.newest}, needed {max(known)}", current.find_problem(known))
            if not current.revisions:
                return
            may_create = await connection.fetchval("select has_schema_privilege('public', 'create')")
            remedy = "revoke create on schema public from the service's role, and do not let it own anything"
            yield Finding(PART, "the service's role can make no tables", remedy if may_create else None)
            for tables, privileges in (
                (schema.WRITTEN, WRITE_PRIVILEGES),
                (schema.APPENDED, APPEND_PRIVILEGES),
                (schema.READ, ("select",)),
            ):
                for table in tables:
                    missing = await schema.missing_privileges(connection, [table], privileges)
                    grant = f"it lacks {', '.join(missing)}: {MIGRATE}" if missing else None
                    yield Finding(PART, f"the service may use {table}", grant)
            for table in schema.APPENDED:
                excess = await connection.fetchval("select has_table_privilege($1, 'update, delete, truncate')", table)
                yield Finding(
                    PART,
                    f"the service can remove and change nothing in {table}",
                    MIGRATE if excess else None,
                    otherwise=Verdict.TOO_MUCH,
                )
            if await connection.fetchval(DEMO, list(demo_exposure.UIDS), demo_exposure.ADMIN_TOKEN_HASH):
                yield _check_demo(settings)
            users = await connection.fetch("select user_id, name, email from users order by user_id")
            lookalikes = [str(row["user_id"]) for row in users if not is_permitted(row["name"], row["email"])]
            if lookalikes:
                ids = f"user_id {', '.join(lookalikes[:20])}, {len(lookalikes)} in all"
                what = f"a name or e-mail that looks like another: {ids}"
                yield Finding(PART, what, "give each another with PATCH /user/{user_id}", needed=False)
            for name, server in settings.call_servers.items():
                async for finding in _check_call_server(connection, name, server):
                    yield finding
            if not current.find_problem(known):
                async for finding in check_secrets(opened, settings):
                    yield finding
                async for finding in check_strength(opened):
                    yield finding
    except asyncpg.PostgresError as error:  # an unexpected error must not prevent the checks of Asterisk
        yield Finding(PART, f"a question failed: {error}", MIGRATE)
    except (ConfigurationError, DatabaseUnavailable) as error:
        yield Finding(
            PART,
            str(error),
            "start it, or mend CONNECTOR_DATABASE_URL and its password; migrate creates the role and sets its password",
        )


async def _check_call_server(
    connection: asyncpg.pool.PoolConnectionProxy, name: str, server: CallServer
) -> AsyncIterator[Finding]:
    """Check the row of a call server, and the role of an Asterisk that reads the views."""
    # An older schema lacks a column: then the row says nothing of it.
    row = await connection.fetchrow(
        """
        select database_role, credentials, to_jsonb(c) ->> 'sip_transport' as sip_transport
        from call_servers as c where name = $1
        """,
        name,
    )
    credentials = server.credentials
    stored, role = (row["credentials"], row["database_role"]) if row else (None, None)
    if stored not in (None, credentials):
        yield Finding(
            PART, f"call server {name} is {credentials} in the settings and {stored} in the database", MIGRATE
        )
    if credentials is Credentials.IMPORTED:
        what = f"call server {name} owns its endpoints, and reads nothing here"
        yield Finding(PART, what, None if row else MIGRATE)
        if accepted := await ownership.list_accepted(connection, name):
            yield _describe_accepted(name, accepted)
        return
    transport = row["sip_transport"] if row else None
    if transport is not None and transport != server.sip_transport:
        what = f"SIP of call server {name} goes over {server.sip_transport} in the settings"
        yield Finding(PART, f"{what}, {transport} in the database", MIGRATE)
    remedy = MIGRATE if server.database_role else NO_ROLE.format(name.upper())
    yield Finding(PART, f"call server {name} reads as role {role or 'none'}", None if role else remedy)
    exists = role and await connection.fetchval("select true from pg_roles where rolname = $1", role)
    if role and not exists:
        yield Finding(PART, f"there is no role {role}", MIGRATE)
    for view in VIEWS if exists else ():
        may_read = await connection.fetchval("select has_table_privilege($1, $2, 'select')", role, view)
        yield Finding(PART, f"{role} may read {view}", None if may_read else MIGRATE)


def _describe_accepted(call_server: str, endpoints: list[str]) -> Finding:
    """The finding that Asterisk still lets phones register of whom this service answers nothing."""
    names = ", ".join(endpoints[:20])
    what = f"the Asterisk of {call_server} accepts {len(endpoints)} endpoints of disabled extensions or inactive people"
    return Finding(PART, f"{what}: {names}", "change their SIP passwords there, if they are to end", needed=False)


def _check_demo(settings: Settings) -> Finding:
    """Check who can reach the service while the demo's public credentials are in the database."""
    exposure = demo_exposure.find_exposure(settings)
    what = "the demo's people, token and passwords, which are public, are in the database"
    if exposure is None:
        return Finding(PART, f"{what}; only this machine reaches them", "keep it so", needed=False)
    return Finding(
        PART, f"{what}; others reach them: {exposure}", "start with an empty database", not settings.allow_demo
    )
