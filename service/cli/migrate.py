"""`migrate`: updates the schema, the roles and their grants."""

from __future__ import annotations

import argparse

from service.cli import demo
from service.db.migrate import migrate
from service.settings import Settings


async def run(settings: Settings, arguments: argparse.Namespace) -> None:
    """Migrate as the database's owner. Safe to repeat."""
    await migrate(settings)
    await demo.refuse_if_published(settings)
    if arguments.json:
        arguments.out.done("The database is up to date.", call_servers=sorted(settings.call_servers))
