"""`extension create|assign|unassign|enable|disable|delete|list|import`; the others are in `extension_password`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from service.cli import extension_password
from service.cli.common import (
    Command,
    describe_unrevoked,
    find_own_number,
    group,
    imported_call_servers,
    open_database,
    person_argument,
    read_secret,
)
from service.cli.operator_origin import command_line_origin
from service.db import extensions, users
from service.db.ownership import list_unrevoked
from service.db.pool import Database
from service.domain.audit import Origin
from service.errors import NotFound
from service.settings import Settings

NUMBER_OR_ENDPOINT = "its number, or the endpoint of one of its phones if no extension has this number"


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "extension", "manage extensions")
    parser = add("create", "create an extension, by default with a random SIP password", _create)
    parser.add_argument("extension")
    parser.add_argument("--call-server", help="call server of the extension; optional if there is only one")
    parser.add_argument("--profile", choices=("webrtc", "sip"), default="webrtc")
    parser.add_argument("--password-stdin", action="store_true", help="read the SIP password from standard input")
    parser = add("assign", "assign a free extension to a user", _assign)
    parser.add_argument("extension", help=NUMBER_OR_ENDPOINT)
    person_argument(parser)
    for name, help_, change, message in (
        (
            "unassign",
            "unassign an extension; its password changes, unless Asterisk owns it",
            extensions.unassign,
            "Unassigned extension {}.",
        ),
        ("enable", "allow an extension to register", _enable, "Enabled extension {}."),
        ("disable", "forbid an extension to register", _disable, "Disabled extension {}."),
    ):
        add(name, help_, _change_one(change, message)).add_argument("extension", help=NUMBER_OR_ENDPOINT)
    parser = add("delete", "delete an extension", _delete, "Not on an imported call server.")
    parser.add_argument("extension", help="its number")
    extension_password.add_to(add)
    add("list", "list all extensions, without passwords", _list)
    _add_import(add)


def _add_import(add: Callable[..., argparse.ArgumentParser]) -> None:
    parser = add(
        "import",
        "import extensions and phones that an Asterisk owns",
        _import,
        "Shows the plan; --apply carries it out in one transaction. A repetition changes nothing.",
    )
    parser.add_argument("--call-server", required=True, help="call server whose credentials are `imported`")
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--from-ami", metavar="USER", help="AMI account with write class `system`; its secret comes from standard input"
    )
    source.add_argument("--from-csv", metavar="FILE", help="CSV file, or - for standard input")
    parser.add_argument("--with-users", action="store_true", help="create a user without a password for each extension")
    parser.add_argument("--prefix", help="prefix of the numbers, for call servers with equal numbers")
    parser.add_argument("--apply", action="store_true", help="carry out the plan")
    parser.add_argument("--remove-gone", action="store_true", help="also delete what the source lacks")
    yes = "let --remove-gone delete more than a tenth, and a source without any stored phone mark all as missing"
    parser.add_argument("--yes", action="store_true", help=yes)


async def _import(settings: Settings, arguments: argparse.Namespace) -> None:
    work = importlib.import_module("service.cli.extension_import")  # on use: AMI's library takes 0.2 s
    await work.run(settings, arguments)


async def _create(settings: Settings, arguments: argparse.Namespace) -> None:
    call_server = _call_server(settings, arguments.call_server)
    secret = read_secret("SIP password") if arguments.password_stdin else None
    async with open_database(settings) as database:
        imported = imported_call_servers(settings)
        await extensions.create(
            database,
            arguments.extension,
            call_server,
            arguments.profile,
            secret,
            origin=command_line_origin(),
            imported=imported,
        )
    message = f"Created extension {arguments.extension} on call server {call_server}."
    arguments.out.done(message, extension=arguments.extension, call_server=call_server)


def _call_server(settings: Settings, name: str | None) -> str:
    names = sorted(settings.call_servers)
    if name is None and len(names) == 1:
        return names[0]
    if name not in names:
        problem = "there are several call servers." if name is None else f"there is no call server {name!r}."
        if not names:
            problem = "the settings have no call server."
            raise NotFound(f"{problem} Set CONNECTOR_CALL_SERVERS__<NAME>__HOST and its kin")
        raise NotFound(f"{problem} Name one with --call-server: {', '.join(names)}")
    return name


async def _assign(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        number = await extensions.find_number(database, arguments.extension)
        unrevoked = await list_unrevoked(database, imported_call_servers(settings), number=number)
        await extensions.assign(database, number, person.user_id, origin=command_line_origin())
    message = f"Assigned extension {number} to {person.name}.{describe_unrevoked(unrevoked)}"
    arguments.out.done(message, extension=number, user=person.name, unrevoked=unrevoked)


def _change_one(change: Callable[..., Awaitable[None]], message: str) -> Command:
    """Return the command for a change that this service makes whoever owns the endpoints."""

    async def run(settings: Settings, arguments: argparse.Namespace) -> None:
        async with open_database(settings) as database:
            number = await extensions.find_number(database, arguments.extension)
            unrevoked = await list_unrevoked(database, imported_call_servers(settings), number=number)
            await change(database, number, origin=command_line_origin())
        if change is _enable:
            unrevoked = []
        sentence = f"{message.format(number)}{describe_unrevoked(unrevoked)}"
        arguments.out.done(sentence, extension=number, unrevoked=unrevoked)

    return run


async def _delete(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        number = await find_own_number(database, arguments.extension)
        imported = imported_call_servers(settings)
        await extensions.delete(database, number, origin=command_line_origin(), imported=imported)
    arguments.out.done(f"Deleted extension {number}.", extension=number)


async def _enable(database: Database, extension: str, *, origin: Origin) -> None:
    await extensions.set_enabled(database, extension, True, origin=origin)


async def _disable(database: Database, extension: str, *, origin: Origin) -> None:
    await extensions.set_enabled(database, extension, False, origin=origin)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        rows = await extensions.list_all(database)
    arguments.out.table(rows, ("extension", "call_server", "profile", "enabled", "user_name"))
