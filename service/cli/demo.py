"""`demo`: users and extensions of the contract's examples. Never for production.

The admin's token and all passwords are in the documentation, and so are public.
"""

from __future__ import annotations

import argparse

from service.cli.common import open_database
from service.cli.operator_origin import command_line_origin
from service.credentials import PasswordHasher
from service.db import sql
from service.db.audit import record
from service.demo_exposure import ADMIN_TOKEN as ADMIN_TOKEN
from service.demo_exposure import ADMIN_TOKEN_HASH, UIDS, exposure_error, find_forbidden_exposure, refuse_if_exposed
from service.domain.audit import Action, AuditedChange
from service.domain.models import Credentials
from service.errors import ConfigurationError, Refused
from service.settings import Settings

SQL = sql.load("demo")

SIP_PASSWORD = "my$up3erP@ssw0rd"  # noqa: S105 - public, from the contract's example
SECOND_SIP_PASSWORD = "an0ther$up3erP@ssw0rd"  # noqa: S105 - public, of extension 12343
LOGINS = (
    ("admin", "demo-admin-password"),
    ("dnhai", "demo-agent-password"),
    ("agent2", "demo-agent2-password"),
    ("nophone", "demo-nophone-password"),
    ("inactive", "demo-inactive-password"),
)


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Load the demo data, and print the names and passwords."""
    await load(settings)
    arguments.out.table([{"name": name, "password": password} for name, password in LOGINS], ("name", "password"))


async def load(settings: Settings, *, hash_rounds: int = 12) -> None:
    """Load the demo data; a repetition changes nothing.

    Raises Refused if the database holds other users, and ConfigurationError if other machines could reach the service.
    """
    owners = settings.credential_owners
    managed = [name for name, owner in owners.items() if owner is Credentials.MANAGED]
    if not managed:
        raise ConfigurationError("the demo data needs a call server in the settings whose CREDENTIALS are managed")
    refuse_if_exposed(settings)
    call_server = min(managed)
    with PasswordHasher(rounds=hash_rounds) as hasher:
        hashes = [await hasher.hash(password) for _, password in LOGINS]
    async with (
        open_database(settings) as database,
        database.connection() as connection,
        connection.transaction(),
    ):
        await connection.execute("lock table users in exclusive mode")
        uids = await connection.fetch(SQL["uids"])
        if uids and not await connection.fetchval(SQL["is_demo"]):
            raise Refused("the database holds other users: the demo data is for an empty one")
        if not uids:
            await connection.execute(SQL["users"], *hashes)
            await connection.execute(SQL["sequence"])
            await connection.execute(SQL["token"], ADMIN_TOKEN_HASH)
            await connection.execute(SQL["extensions"], call_server, SIP_PASSWORD, SECOND_SIP_PASSWORD)
            await record(connection, AuditedChange(Action.DEMO_LOADED, None, command_line_origin()))


async def refuse_if_published(settings: Settings) -> None:
    """Raise ConfigurationError if the demo is in the database and a container's ports are published to other machines.

    `migrate` calls this before anything listens, because phones could register with the demo's passwords too.
    """
    if settings.published_on and (exposure := find_forbidden_exposure(settings)) is not None:
        async with open_database(settings) as database, database.connection() as connection:
            if await connection.fetchval(SQL["is_here"], list(UIDS), ADMIN_TOKEN_HASH):
                raise exposure_error(exposure)
