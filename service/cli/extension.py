"""`extension create|assign|unassign|rotate|enable|disable|delete|list`."""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable
from typing import Any

from service.cli.common import Command, group, opened, person_argument, read_secret
from service.db import extensions, users
from service.db.pool import Database
from service.errors import NotFound
from service.settings import Settings


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "extension", "extensions: which phones may register")
    parser = add("create", "make an extension; its SIP password is random, or read from standard input", _create)
    parser.add_argument("extension")
    parser.add_argument("--call-server", help="its call server; may be left out when there is one")
    parser.add_argument("--profile", choices=("webrtc", "sip"), default="webrtc")
    parser.add_argument("--password-stdin", action="store_true", help="read the SIP password from standard input")
    parser = add("assign", "give a free extension to a user", _assign)
    parser.add_argument("extension")
    person_argument(parser)
    for name, help_, work, told in (
        ("unassign", "take an extension from its user; its password changes", extensions.unassign, "is free"),
        ("rotate", "give an extension a new random password", extensions.rotate_secret, "has a new password"),
        ("enable", "let an extension register", _enable, "may register"),
        ("disable", "refuse an extension", _disable, "is refused"),
        ("delete", "remove an extension", extensions.delete, "is gone"),
    ):
        add(name, help_, _on_one(work, told)).add_argument("extension")
    add("list", "show all extensions, without passwords", _list)


async def _create(settings: Settings, arguments: argparse.Namespace) -> None:
    call_server = _call_server(settings, arguments.call_server)
    secret = read_secret("SIP password") if arguments.password_stdin else None
    async with opened(settings) as database:
        await extensions.create(database, arguments.extension, call_server, arguments.profile, secret)
    told = f"extension {arguments.extension} is on call server {call_server}"
    arguments.out.done(told, extension=arguments.extension, call_server=call_server)


def _call_server(settings: Settings, given: str | None) -> str:
    names = sorted(settings.call_servers)
    if given is None and len(names) == 1:
        return names[0]
    if given not in names:
        told = "which call server?" if given is None else f"there is no call server {given!r}."
        raise NotFound(f"{told} Name one with --call-server: {', '.join(names) or 'the settings have none'}")
    return given


async def _assign(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await extensions.assign(database, arguments.extension, person.user_id)
    told = f"extension {arguments.extension} is {person.name}'s"
    arguments.out.done(told, extension=arguments.extension, user=person.name)


def _on_one(work: Callable[[Database, str], Awaitable[None]], told: str) -> Command:
    async def run(settings: Settings, arguments: argparse.Namespace) -> None:
        async with opened(settings) as database:
            await work(database, arguments.extension)
        arguments.out.done(f"extension {arguments.extension} {told}", extension=arguments.extension)

    return run


async def _enable(database: Database, extension: str) -> None:
    await extensions.set_enabled(database, extension, True)


async def _disable(database: Database, extension: str) -> None:
    await extensions.set_enabled(database, extension, False)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        rows = await extensions.list_all(database)
    arguments.out.table(rows, ("extension", "call_server", "profile", "enabled", "user_name"))
