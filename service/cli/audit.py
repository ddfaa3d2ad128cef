"""`audit list|prune`."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from service.cli.common import group, open_database
from service.cli.operator_origin import command_line_origin
from service.db import audit_rows
from service.db.audit_rows import AuditFilter
from service.db.connection import DatabaseLogin
from service.settings import Settings

MAX_COUNT = 10_000
MAX_DAYS = 36_500
COLUMNS = ("at", "action", "actor", "subject", "address", "count", "details", "request_id")


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "audit", "read the audit trail, or remove its oldest entries")
    parser = add("list", "list entries, newest first", _list)
    time = "RFC 3339 timestamp or date; without a time zone, this machine's"
    parser.add_argument("--since", type=_time, metavar="TIME", help=f"at or after this time: {time}")
    parser.add_argument("--until", type=_time, metavar="TIME", help="before this time")
    parser.add_argument("--actor", metavar="NAME", help="only entries of this actor")
    parser.add_argument("--subject", metavar="NAME", help="only entries about this username, extension or endpoint")
    parser.add_argument("--action", help="only this action, such as login.refused, or all of a kind: 'user.*'")
    parser.add_argument("--offset", type=_number, default=0, help="number of entries to skip")
    parser.add_argument("--count", type=_number, default=50, help="maximum number of entries (default: 50)")
    more = "It connects as the database's owner; the service's role can remove nothing."
    parser = add("prune", "remove old entries", _prune, more)
    parser.add_argument("--keep-days", type=_days, required=True, metavar="DAYS", help="keep the entries of these days")


def _time(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError("a time is needed, such as 2026-11-26 or 2026-11-26T17:20:00Z") from None


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= MAX_COUNT):
        raise argparse.ArgumentTypeError(f"a whole number from 0 to {MAX_COUNT} is needed")
    return int(text)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:20]) <= MAX_DAYS):
        raise argparse.ArgumentTypeError(f"a whole number from 1 to {MAX_DAYS} is needed")
    return int(text)


async def _list(settings: Settings, arguments: argparse.Namespace) -> None:
    action = arguments.action.removesuffix("*") if arguments.action else None
    matching = AuditFilter(arguments.since, arguments.until, arguments.actor, arguments.subject, action)
    async with open_database(settings) as database:
        rows, _ = await audit_rows.page(database, matching, arguments.offset, arguments.count)
    if arguments.json:
        shown = [{**row, "details": msgspec.json.decode(row["details"])} for row in rows]
        arguments.out.table(shown, ("audit_id", "actor_kind", "actor_id", "subject_kind", "subject_id", *COLUMNS))
        return
    arguments.out.table(rows, COLUMNS)


async def _prune(settings: Settings, arguments: argparse.Namespace) -> None:
    before = datetime.now(UTC) - timedelta(days=arguments.keep_days)
    number = await audit_rows.forget(DatabaseLogin.of_owner(settings), before, origin=command_line_origin())
    noun = "entry" if number == 1 else "entries"
    arguments.out.done(f"Removed {number} {noun}.", removed=number)
