"""A database with an imported call server beside the demo's managed one, and the command line on it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from service.settings import Settings
from tests.support.command_line import environment
from tests.support.database import PASSWORD, TestDatabase, call_server
from tests.support.existing.pbx import ExistingPbx

NAME = "branch"
"""The imported call server."""
IMPORTED = f"insert into call_servers (name, credentials) values ('{NAME}', 'imported')"  # noqa: S608
TABLES = {
    "extensions": "select extension, call_server, local_number, enabled, user_id from extensions order by 1",
    "phones": "select phone_id, call_server, endpoint, extension, auth_username, secret, profile, missing_since "
    "from phones order by 1",
    "users": "select user_id, name, fullname, email, passwd, user_type, active from users order by 1",
}

Dump = dict[str, list[tuple[Any, ...]]]
Run = Callable[..., Any]


def variables(database: TestDatabase, pbx: ExistingPbx | None = None, **more: str) -> dict[str, str]:
    """The environment of a command."""
    prefix = f"CALL_SERVERS__{NAME.upper()}__"
    config = pbx.asterisk.config if pbx is not None else None
    values = {
        "HOST": "127.0.0.1",
        "AMI_HOST": "127.0.0.1",
        "AMI_PORT": str(config.ami_port) if config else "9",
        "MONITOR_SECRET": config.monitor_secret if config else PASSWORD,
        "CREDENTIALS": "imported",
        **more,
    }
    return environment(database, **{prefix + name: value for name, value in values.items()})


def settings(database: TestDatabase, pbx: ExistingPbx, **values: Any) -> Settings:
    """Settings of a service in front of the imported call server only."""
    server = pbx.call_server(credentials="imported", database_role=None, database_password=None, **values)
    return database.settings(call_servers={"main": call_server(), NAME: server})


def dump(database: TestDatabase) -> Dump:
    """Everything that an import may change."""

    async def read() -> Dump:
        return {name: [tuple(row) for row in await database.rows(query)] for name, query in TABLES.items()}

    return asyncio.run(read())


def execute(database: TestDatabase, statement: str, *arguments: Any) -> None:
    asyncio.run(database.execute(statement, *arguments))


def column(database: TestDatabase, expression: str, *, missing: bool = False) -> list[Any]:
    """An expression of each phone of the imported call server, or of the missing ones, by endpoint."""
    condition = "call_server = $1 and (missing_since is not null or not $2)"
    query = f"select {expression} from phones where {condition} order by endpoint"  # noqa: S608
    return [row[0] for row in asyncio.run(database.rows(query, NAME, missing))]
