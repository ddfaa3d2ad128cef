"""`extension rotate|show`: new SIP passwords for phones, and what an extension and its phones are."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from service.cli.common import confirm, find_own_number, imported_call_servers, open_database
from service.cli.operator_origin import command_line_origin
from service.db import extensions, phone_secrets
from service.db.phone_secrets import RotatedPhone
from service.domain.timestamps import rfc3339_ms
from service.errors import NoSuchExtension
from service.settings import Settings

COLUMNS = ("phone_id", "endpoint", "auth_username", "profile", "label", "missing", "password", "former_valid_until")


def add_to(add: Callable[..., argparse.ArgumentParser]) -> None:
    """Add the commands to the group `extension`."""
    parser = add(
        "rotate",
        "set a new random SIP password",
        _rotate,
        "The former one stays valid for CONNECTOR_ROTATION_OVERLAP seconds, so that no phone is cut off. Until then a "
        "further rotation is refused, except with --at-once. Not on an imported call server.",
    )
    parser.add_argument("extension", help="its number")
    parser.add_argument("--phone", type=int, metavar="ID", help="id of another phone of it than its own one")
    parser.add_argument(
        "--at-once", action="store_true", help="end the present password and the former one now, as for a lost phone"
    )
    parser = add(
        "show",
        "show an extension and its phones",
        _show,
        "Passwords are shown only with --password, after a confirmation on the terminal or with --yes, and each one "
        "shown is audited.",
    )
    parser.add_argument("extension", help="its number, or the endpoint of one of its phones")
    parser.add_argument("--phone", type=int, metavar="ID", help="show the password of this phone only")
    parser.add_argument("--password", action="store_true", help="also show the SIP passwords")
    parser.add_argument("--yes", action="store_true", help="show the passwords without asking")


async def _rotate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        rotated = await phone_secrets.rotate(
            database,
            await find_own_number(database, arguments.extension),
            origin=command_line_origin(),
            overlap=0 if arguments.at_once else settings.rotation_overlap,
            phone_id=arguments.phone,
            imported=imported_call_servers(settings),
        )
    report_rotated(arguments, rotated)


def report_rotated(arguments: argparse.Namespace, rotated: RotatedPhone) -> None:
    """Print which phone has a new SIP password, and until when the former one is valid."""
    until = rfc3339_ms(rotated.former_until) if rotated.former_until is not None else None
    former = f"The former one is valid until {until}." if until is not None else "The former one has ended."
    arguments.out.done(
        f"Changed the SIP password of phone {rotated.endpoint}. {former}",
        extension=rotated.extension,
        phone_id=rotated.phone_id,
        endpoint=rotated.endpoint,
        former_valid_until=until,
    )


async def _show(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        number = await extensions.find_number(database, arguments.extension)
        found = [row for row in await extensions.list_stored(database, number) if row["extension"] == number]
        if not found:
            raise NoSuchExtension(f"there is no extension {number!r}")
        phones = await phone_secrets.list_phones(database, number)
    if arguments.password:
        if not arguments.yes:
            confirm(f"Type {number} to show its SIP passwords on this terminal:", number)
        async with open_database(settings) as database:
            passwords = await phone_secrets.disclose(
                database, number, origin=command_line_origin(), phone_id=arguments.phone
            )
        for phone in phones:
            phone["password"] = passwords.get(phone["phone_id"]) or phone["password"]
    arguments.out.report(_lines(found[0]), phones, COLUMNS, {**_facts(found[0]), "phones": phones})


def _facts(stored: dict[str, Any]) -> dict[str, Any]:
    return {
        "extension": stored["extension"],
        "call_server": stored["call_server"],
        "enabled": stored["enabled"],
        "user": stored["username"],
        "user_active": stored["user_active"],
    }


def _lines(stored: dict[str, Any]) -> list[str]:
    user = stored["username"] or "nobody"
    inactive = "" if stored["user_active"] in (True, None) else ", who is inactive"
    state = "" if stored["enabled"] else " It is disabled."
    return [f"Extension {stored['extension']} on call server {stored['call_server']} of {user}{inactive}.{state}"]
