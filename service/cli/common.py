"""Shared by the commands: subcommands and their options, the database, secrets from standard input."""

from __future__ import annotations

import argparse
import functools
import getpass
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from service.db import extensions
from service.db.ownership import UnrevokedEndpoint
from service.db.pool import Database
from service.domain.credential_owners import CredentialOwners
from service.errors import Invalid, NoSuchExtension, Refused
from service.settings import Settings

PERSON = "name, e-mail, uid or user_id; a prefix `name:`, `email:`, `uid:` or `id:` selects the kind"
JSON_HELP = "print JSON, for programs"
EPILOG = (
    "Settings come from environment variables that begin with CONNECTOR_. Results go to standard output, logs and "
    "errors to standard error. Exit codes: 0 success; 1 refused; 2 wrong usage or settings."
)
Command = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, int | None]]
"""A command's implementation. It prints results with `arguments.out` and returns the exit code, None for 0."""


def add_command(commands: Any, name: str, help_: str, run: Command, more: str = "") -> argparse.ArgumentParser:
    """Add a command. `help_` is its line in the list of commands; `more` follows it on the command's own help page."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name, help=help_, description=f"{help_[:1].upper()}{help_[1:]}. {more}".strip(), epilog=EPILOG
    )
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=JSON_HELP)
    parser.set_defaults(run=run)
    return parser


def group(commands: Any, name: str, help_: str) -> Callable[..., argparse.ArgumentParser]:
    """Add a command with subcommands. Returns a function that adds one, as `add_command` does."""
    parser = commands.add_parser(name, help=help_, description=f"{help_[:1].upper()}{help_[1:]}.", epilog=EPILOG)
    parser.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help=JSON_HELP)
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    return functools.partial(add_command, subcommands)


def person_argument(parser: argparse.ArgumentParser) -> None:
    """Add the argument `user`, which `users.find_person` parses."""
    parser.add_argument("user", help=PERSON)


def open_database(settings: Settings, *, any_schema: bool = False) -> Database:
    """Return a database for one command, with a short deadline for its start, as an operator waits."""
    interactive = settings.model_copy(update={"database_start_deadline": min(5.0, settings.database_start_deadline)})
    return Database.of(interactive, size=2, any_schema=any_schema)


def imported_call_servers(settings: Settings) -> frozenset[str]:
    """Return the call servers whose endpoints Asterisk owns, by the settings."""
    return CredentialOwners(settings.credential_owners).imported


def describe_unrevoked(endpoints: Sequence[UnrevokedEndpoint]) -> str:
    """Say which SIP passwords a change has not ended, as a sentence after the one that says what was done."""
    if not endpoints:
        return ""
    names = _joined([each.endpoint for each in endpoints])
    where = f"in Asterisk (call server {endpoints[0].call_server})"
    if len(endpoints) == 1:
        return f" The SIP password of {names} stays valid {where} until it is changed there."
    return f" The SIP passwords of {names} stay valid {where} until they are changed there."


def describe_rotated(endpoints: Sequence[str]) -> str:
    """Say which SIP passwords a change has ended, as a further sentence."""
    if not endpoints:
        return ""
    plural = "s" if len(endpoints) > 1 else ""
    return f" Changed the SIP password{plural} of {_joined(endpoints)}."


def _joined(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


async def find_own_number(database: Database, name: str) -> str:
    """Return the extension with this number. Raises NoSuchExtension, also for an endpoint.

    It may be one of several phones, and the change would affect all of them.
    """
    number = await extensions.find_number(database, name)
    if number != name:
        raise NoSuchExtension(f"{name} is an endpoint of extension {number}: name the extension")
    return number


def confirm(question: str, expected: str) -> None:
    """Have the operator type a word on the terminal. Raises Refused without a terminal, and for another word."""
    if not sys.stdin.isatty():
        raise Refused("this needs a confirmation on a terminal, or the option --yes")
    print(f"{question} ", end="", file=sys.stderr, flush=True)
    if sys.stdin.readline().strip() != expected:
        raise Refused("not confirmed")


def read_secret(what: str, *, confirm: bool = True) -> str:
    """Read a secret from standard input: on a terminal by prompts, else the first line, in UTF-8 in any locale.

    `confirm` asks a second time, for a new secret.
    """
    if not sys.stdin.isatty():
        try:
            secret = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise Invalid(f"the {what} is not in UTF-8") from None
    else:
        secret = getpass.getpass(f"{what}: ")
        if confirm and getpass.getpass(f"{what} again: ") != secret:
            raise Invalid(f"the two entries of the {what} differ")
    if not secret:
        raise Invalid(f"no {what} was given on standard input")
    return secret
