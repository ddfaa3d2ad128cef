"""`user create|passwd|auth-ip|activate|deactivate|delete|show|list`."""

from __future__ import annotations

import argparse
from typing import Any

from service.cli.common import group, opened, person_argument, read_secret
from service.credentials import PasswordHasher
from service.db import user_admin, users
from service.domain import networks
from service.domain.models import Role
from service.settings import Settings


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "user", "people: who may log in")
    parser = add("create", "make a user; the password is read from standard input", _create)
    parser.add_argument("name")
    parser.add_argument("--type", choices=[role.value for role in Role], default=Role.AGENT.value)
    parser.add_argument("--email")
    parser.add_argument("--first-name")
    parser.add_argument("--last-name")
    for name, help_, run in (
        ("passwd", "set a new password, read from standard input", _passwd),
        ("activate", "let a user log in", _activate),
        ("deactivate", "end a user's tokens, logins and phone", _deactivate),
        ("delete", "remove a user; their extension is nobody's then, with another password", _delete),
    ):
        person_argument(add(name, help_, run))
    parser = add("auth-ip", "say from where a user may log in: from anywhere, if no network is given", _auth_ip)
    person_argument(parser)
    parser.add_argument("network", nargs="*", help="an address, or a network such as 192.0.2.0/24")
    person_argument(add("show", "show one user: contact, extension, last use", _show))
    add("list", "show all users", _list)


async def _create(settings: Settings, arguments: argparse.Namespace) -> None:
    with PasswordHasher() as hasher:
        passwd = await hasher.hash(read_secret("password"))
    async with opened(settings) as database:
        user_id = await users.create(
            database,
            name=arguments.name,
            passwd=passwd,
            role=Role(arguments.type),
            email=arguments.email,
            first_name=arguments.first_name,
            last_name=arguments.last_name,
        )
    arguments.out.done(f"user {arguments.name} has user_id {user_id}", name=arguments.name, user_id=user_id)


async def _passwd(settings: Settings, arguments: argparse.Namespace) -> None:
    with PasswordHasher() as hasher:
        passwd = await hasher.hash(read_secret("password"))
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await users.set_password(database, person.user_id, passwd)
    arguments.out.done(f"user {person.name} has a new password", name=person.name)


async def _activate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await users.activate(database, person.user_id)
    arguments.out.done(f"user {person.name} is active", name=person.name, active=True)


async def _deactivate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await user_admin.change(database, person.user_id, {"active": False})
    arguments.out.done(f"user {person.name} is not active", name=person.name, active=False)


async def _delete(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await user_admin.delete(database, person.user_id)
    arguments.out.done(f"user {person.name} is gone", name=person.name)


async def _auth_ip(settings: Settings, arguments: argparse.Namespace) -> None:
    for network in arguments.network:
        networks.network(network)
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        await users.set_auth_ip(database, person.user_id, arguments.network)
    where = ", ".join(arguments.network) or "anywhere"
    arguments.out.done(f"user {person.name} may log in from {where}", name=person.name, auth_ip=arguments.network)


async def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        found = await users.fetch_summary(database, person.user_id)
    arguments.out.record(found)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        rows = await users.list_all(database)
    arguments.out.table(rows, ("user_id", "uid", "name", "user_type", "active", "email", "extension"))
