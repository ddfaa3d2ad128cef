"""`board code`: a code by which a screen on a wall gets a token of its own."""

from __future__ import annotations

import argparse
from typing import Any

from service.cli.common import group, open_database, person_argument
from service.cli.operator_origin import command_line_origin
from service.db import board_codes, tokens, users
from service.domain.timestamps import rfc3339_ms
from service.errors import Refused
from service.settings import Settings

_MORE = (
    "Whoever types it on the board's page first gets a token with the scope `board`: it reads states and names, and "
    "changes nothing. It works once, within ten minutes. `token list` shows the token, `token revoke` ends it."
)


def add_to(commands: Any) -> None:
    """Add the commands to the command line."""
    add = group(commands, "board", "hand over the board to screens on a wall")
    parser = add("code", "make a code for a screen, on behalf of an admin; it is printed only once", _code, _MORE)
    person_argument(parser)
    parser.add_argument(
        "--label", type=_label, default=board_codes.DEFAULT_LABEL, help="label of the token that `token list` shows"
    )


def _label(text: str) -> str:
    if text in tokens.LOGIN_LABELS or not text.isprintable() or not 0 < len(text) <= board_codes.MAX_LABEL_LENGTH:
        raise argparse.ArgumentTypeError(
            f"1 to {board_codes.MAX_LABEL_LENGTH} printable characters, except {' and '.join(tokens.LOGIN_LABELS)}"
        )
    return text


async def _code(settings: Settings, arguments: argparse.Namespace) -> None:
    async with open_database(settings) as database:
        person = await users.find_person(database, arguments.user)
        if not person.active or not person.is_admin:
            raise Refused(f"{person.name} is not an active admin")
        made = await board_codes.make(database, person.user_id, arguments.label, origin=command_line_origin())
    expires_at = rfc3339_ms(made.expires_at)
    if arguments.json:
        arguments.out.record({"code": made.code, "expires": expires_at})
        return
    print(made.code)
    arguments.out.table([{"user": person.name, "expires": expires_at}], ("user", "expires"))
