"""Presence for those who poll: one, many, filtered; what changed since a cursor; held until something changes.

Each answer is made in one turn of the loop from the board; a poll costs neither AMI nor PostgreSQL anything.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable

from aiohttp import web

from service.api.auth import caller, presented_token
from service.api.cors import EXPOSED
from service.api.errors import BadArgument, ExtensionNotFound, encode
from service.credentials import token_hash
from service.keys import BOARD, DIRECTORY, SETTINGS, TAG_KEY, WATCH
from service.live.presence import Item
from service.live.visibility import may_see, sees_all
from service.model import Person

LONGEST_WAIT = 30.0
Changes = list[tuple[str, Item | None]]


async def many(request: web.Request) -> web.Response:
    """GET /api/v1/presence: the picture, or with `since` what changed; with `wait` seconds, once something has."""
    person = await caller(request)
    wanted = wanted_extensions(request)
    wait = waiting_time(request)
    cursor = request.query.get("since")
    if cursor is None:
        return _picture(request, person, wanted)
    changes = await changes_since(request, person, wanted, cursor, wait)
    if changes is None:
        return _picture(request, person, wanted)
    board = request.app[BOARD]
    answer = {
        "success": True,
        "full": False,
        "cursor": board.cursor() if changes else cursor,
        "presence": [shown(extension, item) for extension, item in changes],
    }
    return web.Response(body=encode(answer), content_type="application/json", headers=_headers(request))


async def one(request: web.Request) -> web.Response:
    """GET /api/v1/presence/{extension}"""
    person = await caller(request)
    board = request.app[BOARD]
    board.flush()
    item = board.get(request.match_info["extension"])
    if item is None or not may_see(person, item):
        raise ExtensionNotFound
    headers = _headers(request, _tag(request, [item]))
    if _matches(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    answer = {"success": True, "cursor": board.cursor(), "presence": item}
    return web.Response(body=encode(answer), content_type="application/json", headers=headers)


async def changes_since(
    request: web.Request, person: Person, wanted: frozenset[str] | None, cursor: str, wait: float
) -> Changes | None:
    """What changed after the cursor, waiting for it if there is nothing; None when only the whole picture will do."""
    board = request.app[BOARD]
    arrived, ended = asyncio.Event(), asyncio.Event()
    mailbox = board.subscribe(wanted, arrived.set)
    try:
        with request.app[WATCH].holding(token_hash(presented_token(request)), ended.set):
            end = asyncio.get_running_loop().time() + wait
            while True:
                changes = board.since(cursor)
                if changes is None:
                    return None
                seen = select(changes, person, wanted)
                left = end - asyncio.get_running_loop().time()
                if seen or left <= 0 or ended.is_set():
                    return seen
                mailbox.take()
                arrived.clear()
                await either(arrived, ended, left)
    finally:
        board.unsubscribe(mailbox)


async def either(one: asyncio.Event, other: asyncio.Event, within: float) -> None:
    """Wait until one of the two is set, or so many seconds have passed."""
    waits = [asyncio.ensure_future(event.wait()) for event in (one, other)]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


def select(changes: Changes, person: Person, wanted: frozenset[str] | None) -> Changes:
    """Those that this person asked for and may see. That something vanished is told to those who see all."""
    return [
        (extension, item)
        for extension, item in changes
        if (wanted is None or extension in wanted) and (may_see(person, item) if item is not None else sees_all(person))
    ]


def shown(extension: str, item: Item | None) -> Item | dict[str, object]:
    """An item of an answer; a vanished extension as such."""
    return item if item is not None else {"extension": extension, "deleted": True}


def visible(request: web.Request, person: Person, wanted: frozenset[str] | None) -> list[Item]:
    """The picture that this person may see, in a stable order."""
    board = request.app[BOARD]
    items: Iterable[Item | None] = board.items() if wanted is None else map(board.get, wanted)
    return sorted(
        (item for item in items if item is not None and may_see(person, item)), key=lambda item: item.extension
    )


def wanted_extensions(request: web.Request) -> frozenset[str] | None:
    """The filters `extension` and `userId`, repeated or separated by commas; None without any."""
    numbers, uids = ([part for text in request.query.getall(name, []) for part in text.split(",")] for name in NAMES)
    if not numbers and not uids:
        return None
    held = (request.app[DIRECTORY].extension_of(uid) for uid in uids)
    return frozenset([*numbers, *(extension.number for extension in held if extension is not None)])


NAMES = ("extension", "userId")


def waiting_time(request: web.Request) -> float:
    """The argument `wait` in seconds, 30 at most. Raises BadArgument."""
    text = request.query.get("wait", "0")
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds < float("inf"):
        raise BadArgument("Expected seconds in field wait")
    return min(seconds, LONGEST_WAIT)


def _picture(request: web.Request, person: Person, wanted: frozenset[str] | None) -> web.Response:
    board = request.app[BOARD]
    board.flush()
    items = visible(request, person, wanted)
    headers = _headers(request, _tag(request, items))
    if _matches(request, headers["ETag"]):
        return web.Response(status=304, headers=headers)
    answer = {"success": True, "full": True, "cursor": board.cursor(), "presence": items}
    return web.Response(body=encode(answer), content_type="application/json", headers=headers)


def _tag(request: web.Request, items: list[Item]) -> str:
    facts = encode([item.facts() for item in items])
    return f'"{hashlib.blake2b(facts, key=request.app[TAG_KEY], digest_size=16).hexdigest()}"'


def _matches(request: web.Request, tag: str) -> bool:
    known = request.if_none_match
    return known is not None and any(each.value in ("*", tag.strip('"')) for each in known)


def _headers(request: web.Request, tag: str | None = None) -> dict[str, str]:
    headers = {
        "Cache-Control": "no-store",
        "X-Poll-Interval": str(request.app[SETTINGS].poll_interval),
        "Access-Control-Expose-Headers": EXPOSED,
    }
    return {**headers, "ETag": tag} if tag is not None else headers
