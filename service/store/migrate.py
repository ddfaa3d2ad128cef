"""`migrate`: the schema, the roles and what each may do. Safe to run again, and by several replicas at once."""

from __future__ import annotations

import asyncio
from pathlib import Path

import alembic.command
import alembic.config
import alembic.script
import structlog
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from service.errors import ConfigurationError
from service.settings import Settings
from service.store import roles
from service.store.database import Login, translated, wait_until_reachable

log = structlog.get_logger(__name__)

LOCK = 0x636F6E6E
"""The advisory lock that one migration at a time holds ("conn" in ASCII)."""


def configuration() -> alembic.config.Config:
    """Alembic's configuration, without a file."""
    config = alembic.config.Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    return config


def newest() -> str | None:
    """The revision that this release needs."""
    return alembic.script.ScriptDirectory.from_config(configuration()).get_current_head()


async def migrate(settings: Settings) -> None:
    """Bring schema, roles and grants up to date, in one transaction: all of it or nothing.

    Raises ConfigurationError when PostgreSQL stays away, DatabaseUnavailable when it goes away.
    """
    login = Login.of_owner(settings)
    await wait_until_reachable(login, settings.database_start_deadline)
    engine = create_async_engine("postgresql+asyncpg://", async_creator=login.connect, poolclass=NullPool)
    try:
        with translated():
            async with engine.begin() as connection:
                await connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
                await connection.run_sync(_upgrade)
                raw = (await connection.get_raw_connection()).driver_connection
                if raw is None:
                    raise ConfigurationError("the driver's connection is gone")
                await roles.ensure(raw, settings)
    finally:
        await asyncio.shield(engine.dispose())
    log.info("the database is up to date", call_servers=sorted(settings.call_servers))


def _upgrade(connection: Connection) -> None:
    config = configuration()
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, "head")
