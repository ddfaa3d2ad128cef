"""What the commands share: subcommands, secrets from standard input, tables."""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from service.errors import Invalid
from service.settings import Settings
from service.store.database import Database

Command = Callable[[Settings, argparse.Namespace], Coroutine[Any, Any, None]]


def group(commands: Any, name: str, help_: str) -> Callable[[str, str, Command], argparse.ArgumentParser]:
    """A command with subcommands; the result adds one."""
    parser = commands.add_parser(name, help=help_)
    subcommands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def add(subname: str, subhelp: str, run: Command) -> argparse.ArgumentParser:
        subparser: argparse.ArgumentParser = subcommands.add_parser(subname, help=subhelp, description=subhelp)
        subparser.set_defaults(run=run, arguments=True)
        return subparser

    return add


def opened(settings: Settings) -> Database:
    """A database for one command: somebody waits, so an absent one is told soon."""
    hurried = settings.model_copy(update={"database_start_deadline": min(5.0, settings.database_start_deadline)})
    return Database.of(hurried, size=2)


def read_secret(what: str) -> str:
    """A secret from standard input: asked for twice on a terminal, else its first line, in UTF-8 in any locale."""
    if not sys.stdin.isatty():
        try:
            secret = sys.stdin.buffer.readline().decode().rstrip("\r\n")
        except UnicodeDecodeError:
            raise Invalid(f"the {what} is not in UTF-8") from None
    else:
        secret = getpass.getpass(f"{what}: ")
        if getpass.getpass(f"{what} again: ") != secret:
            raise Invalid("the two are not the same")
    if not secret:
        raise Invalid(f"no {what} was given on standard input")
    return secret


def print_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Rows as aligned columns; control characters cannot disturb the terminal."""
    cells = [list(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if hasattr(value, "isoformat"):
        return str(value.isoformat(timespec="seconds"))
    return "".join(letter if letter.isprintable() else "?" for letter in str(value))
