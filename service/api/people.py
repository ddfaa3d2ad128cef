"""Rocket.Chat's own words for presence: `users.getPresence` and `users.presence`, made from the same board."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from aiohttp import web

from service.api.auth import caller
from service.api.errors import BadArgument, UserNotFound, encode
from service.keys import BOARD, DIRECTORY
from service.live.presence import Item
from service.live.sight import Sight
from service.live.visibility import may_see
from service.model import Person

OFFLINE = "offline"
STATUSES = {"dnd": "busy", "away": "away", "xa": "away", "unavailable": OFFLINE}
"""Asterisk's presence states that are not plainly online."""


async def get_presence(request: web.Request) -> web.Response:
    """GET /api/v1/users.getPresence: one's own, or that of `userId` or `username`."""
    person = await caller(request)
    asked = _asked(request, person)
    number = request.app[DIRECTORY].number_of(asked.user_id)
    board = request.app[BOARD]
    board.flush()
    item = board.get(number) if number is not None else None
    status = _status(item) if item is not None and may_see(person, item) else OFFLINE
    own = {"connectionStatus": "offline" if status == OFFLINE else "online"} if asked is person else {}
    return _answer({"presence": status, **own, "success": True})


async def presence(request: web.Request) -> web.Response:
    """GET /api/v1/users.presence: everybody with an extension; with `from` (RFC 3339) those who changed since."""
    person = await caller(request)
    since = _since(request.query.get("from"))
    sight = Sight(request.app[BOARD], request.app[DIRECTORY], person, frozenset(), frozenset())
    seen = (item for item in sight.picture() if item.user_id is not None)
    users = [_user(item) for item in seen if since is None or datetime.fromisoformat(item.as_of) > since]
    return _answer({"users": users, "full": since is None, "success": True})


def _asked(request: web.Request, person: Person) -> Person:
    uid, name = request.query.get("userId"), request.query.get("username")
    if not uid and not name:
        return person
    directory = request.app[DIRECTORY]
    found = directory.person(uid) if uid else directory.named(name or "")
    if found is None:
        raise UserNotFound
    return found


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        since = datetime.fromisoformat(text)
    except ValueError:
        raise BadArgument("Expected a time in field from") from None
    if since.tzinfo is None:
        raise BadArgument("Expected a time with its zone in field from")
    return since


def _status(item: Item) -> str:
    """Online needs a phone that answers; then it is what the person set."""
    if not item.live or not item.reachable:
        return OFFLINE
    return STATUSES.get(item.presence, "busy" if item.in_call else "online")


def _user(item: Item) -> dict[str, Any]:
    text = {"statusText": item.message} if item.message else {}
    return {"_id": item.user_id, "username": item.username, "status": _status(item), **text}


def _answer(answer: dict[str, Any]) -> web.Response:
    return web.Response(body=encode(answer), content_type="application/json", headers={"Cache-Control": "no-store"})
