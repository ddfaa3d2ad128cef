"""Command line of the Asterisk connector. The default command is `serve`.

No task of an operator needs SQL. Secrets are read from standard input or generated, never passed as arguments. Results
go to standard output, logs to standard error. Exit codes: 0 success; 1 refused, or a task ended unexpectedly; 2 wrong
usage or settings.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import sys
from pathlib import Path
from typing import Any

from service import __version__, logs, settings
from service.cli import audit, board, extension, phone, secrets, setup, token, user
from service.cli.common import EPILOG, JSON_HELP, Command, add_command
from service.cli.output import Json, Text
from service.domain.models import DeviceState
from service.errors import ConfigurationError, ServiceError
from service.runtime import event_loop
from service.settings import Settings

MAX_WATCH = 3600.0
"""Seconds that `check --watch` accepts at most."""


def parser() -> argparse.ArgumentParser:
    """Build the parser of all commands."""
    root = argparse.ArgumentParser(prog=_program(), description=__doc__.splitlines()[0], epilog=EPILOG)
    root.add_argument("--version", action="version", version=f"asterisk-connector {__version__}")
    root.add_argument("--json", action="store_true", help=JSON_HELP)
    root.set_defaults(run=_in("serve"), parameters=None)
    commands = root.add_subparsers(title="commands", metavar="COMMAND")
    for name, help_, more in (
        ("serve", "serve requests (the default)", "SIGTERM, SIGINT and SIGQUIT shut it down without a failed request."),
        ("migrate", "update schema, roles and grants, as the database's owner", "Safe to repeat."),
        (
            "check",
            "check the configuration and privileges of PostgreSQL, the bus and each Asterisk",
            "Exit code 1: a check failed.",
        ),
        ("demo", "load the demo data into an empty database", "Its passwords and its admin's token are public."),
    ):
        command = add_command(commands, name, help_, _in(name), more)
        if name == "check":
            command.add_argument(
                "--all", action="store_true", help="show every extension, also those without a problem"
            )
            command.add_argument(
                "--watch",
                type=_seconds,
                default=0.0,
                metavar="SECONDS",
                help="watch each call server for that long, to find out which events arrive; make a call meanwhile",
            )
            command.add_argument(
                "--expect-endpoints",
                action="append",
                default=[],
                metavar="[NAME=]N",
                help="fail if a call server has fewer PJSIP endpoints; NAME may be left out if there is only one",
            )
    _add_status(commands)
    _add_backup(commands)
    for module in (setup, user, extension, phone, token, board, secrets, audit):
        module.add_to(commands)
    for process in ("worker", "collector"):
        commands.add_parser(process).set_defaults(run=_in(process))  # without a help text it is not listed
        commands.choices[process].add_argument("parameters")
    return root


def _add_status(commands: Any) -> None:
    more = (
        "It asks the service that runs on this machine with these settings; it opens no connection to Asterisk. "
        "Exit code 1: no service answers, and the stored extensions are printed."
    )
    command = add_command(
        commands, "status", "show every extension's live state, or for one why it is unknown", _in("status"), more
    )
    command.add_argument(
        "extension", nargs="?", metavar="EXT", help="extension number, or endpoint name: show this one in detail"
    )
    command.add_argument("--call-server", metavar="NAME", help="only extensions of this call server")
    command.add_argument(
        "--state",
        type=str.lower,
        choices=[state.value.lower() for state in DeviceState],
        metavar="STATE",
        help="only this state, such as 'not in use'",
    )
    command.add_argument("--not-live", action="store_true", help="only extensions whose state is not live")


def _add_backup(commands: Any) -> None:
    owner = "It connects as the database's owner, and runs PostgreSQL's own programs."
    more = f"{owner} The key of encrypted SIP passwords is not in the file. A backup never replaces another file."
    command = add_command(commands, "backup", "copy the whole database into one file", _in("backup"), more)
    command.add_argument("path", metavar="FILE", help="new file, or a folder: the file then has the time in its name")
    more = f"{owner} It checks the file and the database before it changes anything, and runs `migrate` at the end."
    command = add_command(commands, "restore", "bring a backup into an empty database", _in("restore"), more)
    command.add_argument("file", metavar="FILE", help="file that `backup` made")
    command.add_argument("--check", action="store_true", help="check the file and the database only, change nothing")
    command.add_argument(
        "--without-key",
        action="store_true",
        help="restore SIP passwords that no key at hand opens: their phones register only after a rotation",
    )


def _seconds(text: str) -> float:
    """Parse a time of up to an hour."""
    seconds = float(text)
    if not 0 <= seconds <= MAX_WATCH:
        raise argparse.ArgumentTypeError(f"a number from 0 to {MAX_WATCH:.0f} is needed")
    return seconds


def _program() -> str:
    """Return the program as the user started it: the console script or the package."""
    name = Path(sys.argv[0]).name
    return "asterisk-connector" if name == "asterisk-connector" else "python -m service"


def _in(module: str) -> Command:
    """Return a command that a module of this package runs. Imports it on use, as the web server takes half a second."""

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
