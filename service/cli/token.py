"""`token issue|revoke|list`."""

from __future__ import annotations

import argparse
from datetime import timedelta
from typing import Any

from service.cli.common import group, opened
from service.errors import NotFound, Refused
from service.settings import Settings
from service.store import tokens, users

LONGEST_DAYS = 3650


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "token", "tokens: logins that last")
    parser = add("issue", "make a token for a user and print it, once", _issue)
    parser.add_argument("user")
    parser.add_argument("--days", type=_days, help="days that it lives (default: CONNECTOR_TOKEN_DAYS)")
    parser.add_argument("--label", default="command line", help="what it is for")
    parser = add("revoke", "end one token, or all of a user", _revoke)
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--hash", help="the first digits of its hash, as `token list` shows it")
    which.add_argument("--user", help="all tokens of this user")
    add("list", "show the tokens that have not expired", _list)


def _days(text: str) -> float:
    days = float(text)
    if not 0 < days <= LONGEST_DAYS:
        raise argparse.ArgumentTypeError(f"more than 0 and at most {LONGEST_DAYS}")
    return days


async def _issue(settings: Settings, arguments: argparse.Namespace) -> None:
    lifetime = timedelta(days=settings.token_days if arguments.days is None else arguments.days)
    async with opened(settings) as database:
        login = await users.by_login(database, arguments.user)
        if login is None:
            raise NotFound(f"there is no user {arguments.user!r}")
        if not login.person.active:
            raise Refused(f"{login.person.name} is not active: a token would be refused")
        token, expires_at = await tokens.issue(database, login.person.user_id, lifetime, arguments.label)
    if arguments.json:
        arguments.out.record({"token": token, "X-User-Id": login.person.uid, "expires": expires_at})
        return
    print(token)
    arguments.out.table([{"X-User-Id": login.person.uid, "expires": expires_at}], ("X-User-Id", "expires"))


async def _revoke(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        if arguments.user:
            if await users.by_login(database, arguments.user) is None:
                raise NotFound(f"there is no user {arguments.user!r}")
            count = await tokens.revoke_all(database, arguments.user)
            arguments.out.done(f"{count} tokens of {arguments.user} are ended", user=arguments.user, tokens=count)
        else:
            await tokens.revoke_by_prefix(database, arguments.hash)
            arguments.out.done("the token is ended", tokens=1)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    async with opened(settings) as database:
        rows = await tokens.listed(database)
    arguments.out.table(
        [{**row, "hash": row["hash"][:16]} for row in rows],
        ("hash", "name", "created_at", "expires_at", "label"),
    )
