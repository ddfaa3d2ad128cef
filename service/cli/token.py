"""`token issue|revoke|list`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

from service.cli.common import PERSON, group, opened, person_argument
from service.db import tokens, users
from service.errors import Refused
from service.settings import Settings
from service.web.http.numbers import decimal

LONGEST_DAYS = 3650


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "token", "tokens: logins that last")
    parser = add("issue", "make a token for a user and print it, once", _issue)
    person_argument(parser)
    parser.add_argument("--days", type=_days, help="days that it lives (default: CONNECTOR_TOKEN_DAYS)")
    parser.add_argument("--label", type=_label, default="command line", help="what it is for")
    parser = add("revoke", "end one token, or all of a user", _revoke)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--hash", help="the first digits of its hash, as `token list` shows it")
    which.add_argument("--user", help=f"all tokens of this user: {PERSON}")
    add("list", "show the tokens that have not expired", _list)


def _days(text: str) -> float:
    days = decimal(text)
    if days is None or not 0 < days <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {LONGEST_DAYS}")
    return days


def _label(text: str) -> str:
    if text in tokens.LOGIN_LABELS:
        raise argparse.ArgumentTypeError(f"{text!r} is for logins, whose tokens end when there are too many")
    return text


async def _issue(settings: Settings, arguments: argparse.Namespace) -> None:
    lifetime = timedelta(days=settings.token_days if arguments.days is None else arguments.days)
    async with opened(settings) as database:
        person = await users.find_person(database, arguments.user)
        if not person.active:
            raise Refused(f"{person.name} is not active: a token would be refused")
        token, expires_at = await tokens.issue(database, person.user_id, lifetime, arguments.label)
    if arguments.json:
        arguments.out.record({"token": token, "X-User-Id": person.uid, "expires": expires_at})
        return
    print(token)
    arguments.out.table([{"X-User-Id": person.uid, "expires": expires_at}], ("X-User-Id", "expires"))


async def _revoke(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        if arguments.user is not None:
            person = await users.find_person(database, arguments.user)
            count = await tokens.revoke_all(database, person.user_id)
            arguments.out.done(f"{count} tokens of {person.name} are ended", user=person.name, tokens=count)
        else:
            await tokens.revoke_by_prefix(database, arguments.hash)
            arguments.out.done("the token is ended", tokens=1)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        rows = await tokens.list_all(database)
    arguments.out.table(
        [{**row, "hash": row["hash"][:16]} for row in rows],
        ("hash", "name", "created_at", "expires_at", "label"),
    )
