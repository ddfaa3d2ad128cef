"""`demo`: the people and phones with which the two seed pages replay. Never for a system that people use.

The admin's token and all passwords are public: they stand in the documentation.
"""

from __future__ import annotations

import argparse

from service.cli.common import opened
from service.credentials import PasswordHasher, token_hash
from service.errors import ConfigurationError, Refused
from service.settings import Settings
from service.store import sql

SQL = sql.load("demo")

ADMIN_TOKEN = "xS8jnLS2YzVy-_w8T_S0WnQm5SnADjACa7gbXmcOcLY"  # noqa: S105 - the seed's, public
SIP_PASSWORD = "my$up3erP@ssw0rd"  # noqa: S105 - the seed's, public
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


async def load(settings: Settings) -> None:
    """Load the demo data; loading it again changes nothing. Refused on a database that holds other users."""
    if not settings.call_servers:
        raise ConfigurationError("the demo data needs a call server in the settings")
    call_server = min(settings.call_servers)
    with PasswordHasher() as hasher:
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
            await connection.execute(SQL["token"], token_hash(ADMIN_TOKEN))
            await connection.execute(SQL["extensions"], call_server, SIP_PASSWORD)
