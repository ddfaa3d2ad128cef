"""`user create|passwd|auth-ip|activate|deactivate|delete|show|list`."""

from __future__ import annotations

import argparse
from typing import Any

from service.cli.common import (
    describe_rotated,
    describe_unrevoked,
    group,
    imported_call_servers,
    open_database,
    person_argument,
    read_secret,
)
from service.cli.operator_origin import command_line_origin
from service.credentials import PasswordHasher
from service.db import phone_secrets, user_admin, users
from service.db.ownership import list_unrevoked
from service.domain import networks
from service.domain.audit import Action
from service.domain.models import Role
from service.settings import Settings


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "user", "manage users")
    parser = add("create", "create a user; the password is read from standard input", _create)
    parser.add_argument("name")
    parser.add_argument("--type", choices=[role.value for role in Role], default=Role.AGENT.value)
    parser.add_argument("--email")
    parser.add_argument("--first-name")
    parser.add_argument("--last-name")
    parser = add(
        "passwd",
        "set a new password, read from standard input",
        _passwd,
        "It ends the SIP passwords, set-up links and device URLs of the user's phones, unless Asterisk owns them.",
    )
    person_argument(parser)
    parser.add_argument(
        "--keep-phones",
        action="store_true",
        help="keep device URLs: a phone that reads one, such as Linphone, gets its new SIP password at its next start",
    )
    for name, help_, run in (
        ("activate", "allow a user to log in", _activate),
        (
            "deactivate",
            "forbid a user to log in, revoke their tokens and, unless Asterisk owns it, disconnect their phone",
            _deactivate,
        ),
        (
            "delete",
            "delete a user; their extension is unassigned and gets a new password, unless Asterisk owns it",
            _delete,
        ),
    ):
        person_argument(add(name, help_, run))
    parser = add("auth-ip", "set the networks that a user may log in from; without any, all are allowed", _auth_ip)
    person_argument(parser)
    parser.add_argument("network", nargs="*", help="address, or network such as 192.0.2.0/24")
    person_argument(add("show", "show one user: contact, extension, last use", _show))
    add("list", "list all users", _list)


async def _create(settings: Settings, arguments: argparse.Namespace) -> None:
    with PasswordHasher() as hasher:
        passwd = await hasher.hash(read_secret("password"))
    async with open_database(settings) as database:
        user_id = await users.create(
            database,
            origin=command_line_origin(),
            name=arguments.name,
            passwd=passwd,
            role=Role(arguments.type),
            email=arguments.email,
            first_name=arguments.first_name,
            last_name=arguments.last_name,
        )
    arguments.out.done(f"Created user {arguments.name} with user_id {user_id}.", name=arguments.name, user_id=user_id)


async def _passwd(settings: Settings, arguments: argparse.Namespace) -> None:
    with PasswordHasher() as hasher:
        passwd = await hasher.hash(read_secret("password"))
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        imported = imported_call_servers(settings)
        unrevoked = await list_unrevoked(database, imported, user_id=person.user_id)
        rotated = await phone_secrets.list_rotated_with(database, person.user_id, imported)
        keep = arguments.keep_phones
        await users.set_password(database, person.user_id, passwd, origin=command_line_origin(), keep_phones=keep)
    kept = " Kept the device URLs of their phones." if keep else ""
    message = f"Changed the password of {person.name}.{describe_rotated(rotated)}{kept}{describe_unrevoked(unrevoked)}"
    arguments.out.done(message, name=person.name, rotated=rotated, unrevoked=unrevoked, kept_device_urls=keep)


async def _activate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        await users.activate(database, person.user_id, origin=command_line_origin())
    arguments.out.done(f"Activated user {person.name}.", name=person.name, active=True)


async def _deactivate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        unrevoked = await list_unrevoked(database, imported_call_servers(settings), user_id=person.user_id)
        origin, action = command_line_origin(), Action.USER_DEACTIVATED
        await user_admin.change(database, person.user_id, {"active": False}, origin=origin, action=action)
    message = f"Deactivated user {person.name}.{describe_unrevoked(unrevoked)}"
    arguments.out.done(message, name=person.name, active=False, unrevoked=unrevoked)


async def _delete(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        unrevoked = await list_unrevoked(database, imported_call_servers(settings), user_id=person.user_id)
        await user_admin.delete(database, person.user_id, origin=command_line_origin())
    message = f"Deleted user {person.name}.{describe_unrevoked(unrevoked)}"
    arguments.out.done(message, name=person.name, unrevoked=unrevoked)


async def _auth_ip(settings: Settings, arguments: argparse.Namespace) -> None:
    for network in arguments.network:
        networks.network(network)
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        await users.set_auth_ip(database, person.user_id, arguments.network, origin=command_line_origin())
    allowed = ", ".join(arguments.network) or "any address"
    message = f"Allowed logins of {person.name} from {allowed}."
    arguments.out.done(message, name=person.name, auth_ip=arguments.network)


async def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        summary = await users.fetch_summary(database, person.user_id)
    arguments.out.record(summary)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        rows = await users.list_all(database)
    arguments.out.table(rows, ("user_id", "uid", "name", "user_type", "active", "email", "extension"))
