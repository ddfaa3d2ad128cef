"""`phone list|create|setup|rotate|delete`: the phones of a person, each with a SIP password of its own."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from service.cli.common import group, imported_call_servers, open_database, person_argument
from service.cli.extension_password import report_rotated
from service.cli.operator_origin import command_line_origin
from service.db import extensions, phone_secrets, phone_setups, phones, users
from service.db.phone_setups import SetupLink
from service.db.phones import MAX_LABEL_LENGTH, Holder, StoredPhone
from service.domain.phone_kinds import PHONE_KINDS
from service.domain.setup_urls import scanned_url, setup_page_url
from service.domain.timestamps import rfc3339_ms
from service.errors import Invalid
from service.settings import Settings

COLUMNS = (
    *("phone_id", "extension", "endpoint", "user", "kind", "label", "created_at", "last_fetched_at"),
    "last_fetched_from",
)
_LINK = (
    "It prints a set-up link, on a terminal with the QR code that the phone's app scans. Whoever opens the link before "
    "the phone does gets the phone's SIP password."
)


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "phone", "manage the phones of users")
    parser = add("list", "list phones, without passwords", _list, "`status EXT` shows where they are registered.")
    parser.add_argument(
        "extension", nargs="?", help="only phones of this extension: its number, or the endpoint of one of its phones"
    )
    parser = add("create", "create a phone for a user's extension", _create, _LINK)
    person_argument(parser)
    parser.add_argument("--kind", choices=tuple(PHONE_KINDS), required=True, help="kind of phone")
    parser.add_argument("--label", default="", help="the user's own name for it")
    parser = add("setup", "make a new set-up link for a phone; the one before ends", _setup, _LINK)
    _id_argument(parser)
    parser = add(
        "rotate",
        "set a new random SIP password for a phone",
        _rotate,
        "The former one stays valid for CONNECTOR_ROTATION_OVERLAP seconds. Until then a further rotation is refused, "
        "except with --at-once. Not on an imported call server.",
    )
    _id_argument(parser)
    parser.add_argument(
        "--at-once", action="store_true", help="end the present password and the former one now, as for a lost phone"
    )
    parser = add(
        "delete",
        "delete a phone, as when it is lost; its password and set-up link end at once",
        _delete,
        "The extension's own phone cannot be deleted, only rotated. Not on an imported call server.",
    )
    _id_argument(parser)


def _id_argument(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("phone", type=int, metavar="ID", help="phone_id, as `phone list` shows it")


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        number = arguments.extension
        if number is not None:
            number = await extensions.find_number(database, number)
        found = await phones.list_stored(database, number)
    arguments.out.table([_row(phone) for phone in found], COLUMNS)


def _row(phone: StoredPhone) -> dict[str, Any]:
    return {name: phone.username if name == "user" else getattr(phone, name) for name in COLUMNS}


async def _create(settings: Settings, arguments: argparse.Namespace) -> None:
    label: str = arguments.label
    if len(label) > MAX_LABEL_LENGTH or not label.isprintable():
        raise Invalid(f"a label is at most {MAX_LABEL_LENGTH} printable characters")
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        phone, link = await phones.create(
            database,
            Holder(user_id=person.user_id),
            PHONE_KINDS[arguments.kind],
            label,
            origin=command_line_origin(),
            most=settings.phones_per_person,
            with_link=settings.public_url is not None,
            imported=imported_call_servers(settings),
        )
    _print_link(settings, arguments, phone, link, f"Created phone {phone.phone_id} of {person.name}: {phone.endpoint}.")


async def _setup(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        link = await phone_setups.start(
            database,
            arguments.phone,
            origin=command_line_origin(),
            imported=imported_call_servers(settings),
            has_url=settings.public_url is not None,
        )
        phone = await phones.get(database, arguments.phone)
    _print_link(settings, arguments, phone, link, f"Made a set-up link for phone {phone.phone_id}, {phone.endpoint}.")


def _print_link(
    settings: Settings, arguments: argparse.Namespace, phone: StoredPhone, link: SetupLink | None, sentence: str
) -> None:
    """Print what was done, then the link on a line of its own, and on a terminal the code that the app scans."""
    url = setup_page_url(settings.public_url, link.token) if link is not None and settings.public_url else None
    until = rfc3339_ms(link.expires_at) if link is not None else None
    expiry = f" The link is valid until {until}." if until is not None else ""
    arguments.out.done(
        f"{sentence}{expiry}",
        phone_id=phone.phone_id,
        extension=phone.extension,
        endpoint=phone.endpoint,
        url=url,
        expires_at=until,
    )
    if url is None or arguments.json:
        return
    print(url)
    scanned = scanned_url(url, phone.kind)
    if scanned is not None and _draws_codes():
        from service.domain.qr_code import qr_lines  # only a terminal needs it

        print(*qr_lines(scanned), sep="\n")


def _draws_codes() -> bool:
    """Return whether standard output is a terminal that shows half blocks."""
    return sys.stdout.isatty() and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"


async def _rotate(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        rotated = await phone_secrets.rotate_phone(
            database,
            arguments.phone,
            origin=command_line_origin(),
            overlap=0 if arguments.at_once else settings.rotation_overlap,
            imported=imported_call_servers(settings),
        )
    report_rotated(arguments, rotated)


async def _delete(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        extension, endpoint = await phones.delete(
            database, arguments.phone, origin=command_line_origin(), imported=imported_call_servers(settings)
        )
    arguments.out.done(
        f"Deleted phone {endpoint} of extension {extension}. A registration that it has ends within 300 s.",
        phone_id=arguments.phone,
        extension=extension,
        endpoint=endpoint,
    )
