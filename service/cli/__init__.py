"""The command line: `python -m service`, with `serve` as its default. An operator never needs SQL.

Secrets are read from standard input or made, never taken as arguments. Results go to standard output, logs to
standard error. Exit codes: 0 done; 1 refused, or something ended that must not; 2 wrong usage or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from service import __version__, logs, loop, settings
from service.cli import check, demo, extension, serve, token, user
from service.errors import ConfigurationError, ServiceError
from service.settings import Settings


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog="python -m service", description=__doc__.splitlines()[0])
    root.add_argument("--version", action="version", version=f"asterisk-connector {__version__}")
    root.set_defaults(run=serve.run, arguments=False, place=None)
    commands = root.add_subparsers(title="commands", metavar="COMMAND")
    for name, help_, run in (
        ("serve", "answer requests (the default)", serve.run),
        ("migrate", "bring schema, roles and grants up to date, as the owner", _migrate),
        ("check", "ask PostgreSQL and each Asterisk whether all is there and permitted", check.run),
        ("demo", "load the demo data into an empty database", demo.run),
    ):
        commands.add_parser(name, help=help_).set_defaults(run=run)
    for module in (user, extension, token, serve):
        module.add_to(commands)
    return root


async def _migrate(settings: Settings) -> None:
    from service.store.migrate import migrate  # with Alembic: half a second of each start, for this command only

    await migrate(settings)


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    try:
        loaded = settings.load()
        logs.configure(loaded, worker=arguments.place and arguments.place.number)
        work = arguments.run(loaded, arguments) if arguments.arguments else arguments.run(loaded)
        with asyncio.Runner(loop_factory=loop.factory()) as runner:
            code = runner.run(work)
    except ConfigurationError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (ServiceError, RuntimeError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return code or 0
