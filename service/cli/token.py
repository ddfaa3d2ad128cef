"""`token issue|revoke|list`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

from service.cli.common import PERSON, group, open_database, person_argument
from service.cli.operator_origin import command_line_origin
from service.db import tokens, users
from service.errors import Refused
from service.settings import Settings
from service.web.http.numbers import decimal

MAX_DAYS = 3650


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "token", "manage API tokens")
    parser = add("issue", "issue a token for a user; it is printed only once", _issue)
    person_argument(parser)
    parser.add_argument("--days", type=_days, help="lifetime in days (default: CONNECTOR_TOKEN_DAYS)")
    parser.add_argument("--label", type=_label, default="command line", help="label that `token list` shows")
    parser = add("revoke", "revoke one token, or all tokens of a user", _revoke)
    target = parser.add_mutually_exclusive_group(required=True)
    target.add_argument("--hash", help="first digits of the token's hash, as `token list` shows it")
    target.add_argument("--user", help=f"revoke all tokens of this user: {PERSON}")
    add("list", "list the tokens that have not expired", _list)


def _days(text: str) -> float:
    days = decimal(text)
    if days is None or not 0 < days <= MAX_DAYS:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {MAX_DAYS}")
    return days


def _label(text: str) -> str:
    if text in tokens.LOGIN_LABELS:
        raise argparse.ArgumentTypeError(
            f"{text!r} is reserved for logins, whose oldest tokens are revoked above a limit"
        )
    return text


async def _issue(settings: Settings, arguments: argparse.Namespace) -> None:
    lifetime = timedelta(days=settings.token_days if arguments.days is None else arguments.days)
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        if not person.active:
            raise Refused(f"{person.name} is not active: a token would be refused")
        origin = command_line_origin()
        token, expires_at = await tokens.issue(database, person.user_id, lifetime, arguments.label, origin=origin)
    if arguments.json:
        arguments.out.record({"token": token, "X-User-Id": person.uid, "expires": expires_at})
        return
    print(token)
    arguments.out.table([{"X-User-Id": person.uid, "expires": expires_at}], ("X-User-Id", "expires"))


async def _revoke(settings: Settings, arguments: argparse.Namespace) -> None:
    origin = command_line_origin()
    async with open_database(settings) as database:
        if arguments.user is not None:
            person = await users.find_person(database, arguments.user)
            count = await tokens.revoke_all(database, person.user_id, origin=origin)
            noun = "token" if count == 1 else "tokens"
            arguments.out.done(f"Revoked {count} {noun} of {person.name}.", user=person.name, tokens=count)
        else:
            await tokens.revoke_by_prefix(database, arguments.hash, origin=origin)
            arguments.out.done("Revoked 1 token.", tokens=1)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        rows = await tokens.list_all(database)
    arguments.out.table(
        [{**row, "hash": row["hash"][:16]} for row in rows],
        ("hash", "name", "created_at", "expires_at", "scope", "label"),
    )
