"""The command line: `python -m service`, with `serve` as its default. An operator never needs SQL.

Secrets are read from standard input or made, never taken as arguments. Results go to standard output, logs to
standard error. Exit codes: 0 done; 1 refused, or something ended that must not; 2 wrong usage or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

from service import __version__, logs, settings
from service.cli import extension, token, user
from service.cli.common import EPILOG, JSON_HELP, Command, add_command
from service.cli.output import Json, Text
from service.errors import ConfigurationError, ServiceError
from service.runtime import event_loop
from service.settings import Settings


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    root = argparse.ArgumentParser(prog=_program(), description=__doc__.splitlines()[0], epilog=EPILOG)
    root.add_argument("--version", action="version", version=f"asterisk-connector {__version__}")
    root.add_argument("--json", action="store_true", help=JSON_HELP)
    root.set_defaults(run=_in("serve"), place=None)
    commands = root.add_subparsers(title="commands", metavar="COMMAND")
    for name, help_, more in (
        ("serve", "answer requests (the default)", "SIGTERM, SIGINT and SIGQUIT end it without a failed request."),
        ("migrate", "bring schema, roles and grants up to date, as the owner", "Safe to run again."),
        (
            "check",
            "ask PostgreSQL and each Asterisk whether all is there and permitted",
            "Exit code 1: something is not.",
        ),
        ("demo", "load the demo data into an empty database", "Its passwords and its admin's token are public."),
    ):
        command = add_command(commands, name, help_, _in(name), more)
        if name == "check":
            command.add_argument("--all", action="store_true", help="one line for each extension, well or not")
    for module in (user, extension, token):
        module.add_to(commands)
    commands.add_parser("worker").set_defaults(run=_in("worker"))  # without a help text it is not listed
    commands.choices["worker"].add_argument("place")
    return root


def _program() -> str:
    """What was typed: the console script, or the package."""
    name = Path(sys.argv[0]).name
    return "asterisk-connector" if name == "asterisk-connector" else "python -m service"


def _in(module: str) -> Command:
    """The command that a module here runs. It is imported then: the web server takes half a second."""

    async def run(settings: Settings, arguments: argparse.Namespace) -> int | None:
        work: Any = importlib.import_module(f"service.cli.{module}")
        code: int | None = await work.run(settings, arguments)
        return code

    return run


def main(argv: list[str] | None = None) -> int:
    """Run one command; returns the exit code."""
    arguments = parser().parse_args(argv)
    arguments.out = Json() if arguments.json else Text()
    try:
        loaded = settings.load()
        logs.configure(loaded)
        with asyncio.Runner(loop_factory=event_loop.factory()) as runner:
            code = runner.run(arguments.run(loaded, arguments))
    except ConfigurationError as error:
        arguments.out.failed(str(error))
        return 2
    except (ServiceError, RuntimeError) as error:
        arguments.out.failed(str(error))
        return 1
    except KeyboardInterrupt:
        return 130
    return code or 0
