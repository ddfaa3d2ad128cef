"""`demo`: the people and phones with which the two seed pages replay. Never for a system that people use.

The admin's token and all passwords are public: they stand in the documentation.
"""

from __future__ import annotations

import argparse

from service.cli.common import opened
from service.credentials import PasswordHasher
from service.db import sql
from service.demo_exposure import ADMIN_TOKEN as ADMIN_TOKEN
from service.demo_exposure import ADMIN_TOKEN_HASH, UIDS, exposure_error, find_forbidden_exposure, refuse_if_exposed
from service.errors import ConfigurationError, Refused
from service.settings import Settings

SQL = sql.load("demo")

SIP_PASSWORD = "my$up3erP@ssw0rd"  # noqa: S105 - the seed's, public
SECOND_SIP_PASSWORD = "an0ther$up3erP@ssw0rd"  # noqa: S105 - 12343's, as public
PEOPLE = (
    ("admin", "demo-admin-password"),
    ("dnhai", "demo-agent-password"),
    ("agent2", "demo-agent2-password"),
    ("nophone", "demo-nophone-password"),
    ("inactive", "demo-inactive-password"),
)


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Load it, and print who can log in."""
    await load(settings)
    arguments.out.table([{"name": name, "password": password} for name, password in PEOPLE], ("name", "password"))


async def load(settings: Settings, *, hash_rounds: int = 12) -> None:
    """Load the demo data; loading it again changes nothing. Refused on a database that holds other users.

    Refused as well where others than this machine's own programs could use it.
    """
    if not settings.call_servers:
        raise ConfigurationError("the demo data needs a call server in the settings")
    refuse_if_exposed(settings)
    call_server = min(settings.call_servers)
    with PasswordHasher(rounds=hash_rounds) as hasher:
        hashes = [await hasher.hash(password) for _, password in PEOPLE]
    async with (
        opened(settings) as database,
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


async def refuse_if_published(settings: Settings) -> None:
    """Where a container's ports are published beyond this machine, refuse to go on if the demo is in the database.

    For `migrate`, which runs before anything listens: phones could register with the demo's passwords too.
    """
    if settings.published_on and (exposure := find_forbidden_exposure(settings)) is not None:
        async with opened(settings) as database, database.connection() as connection:
            if await connection.fetchval(SQL["is_here"], list(UIDS), ADMIN_TOKEN_HASH):
                raise exposure_error(exposure)
