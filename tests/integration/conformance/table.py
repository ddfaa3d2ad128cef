"""A case: one request and its answer; where the original answers otherwise, what it says, and why we differ.

A table is read from the top, one case after the other, against one service (`replay` with `server`), or each case by
itself (`ask` with `shared`) when it only asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, Server

NOBODY, CLIENT = "nobody", "nophone"
"""Who asks, besides the demo's other people by their names: nobody sends no header at all."""
PEOPLE = {
    "admin": (1, ADMIN_UID),
    "dnhai": (1795, AGENT_UID),
    "agent2": (1796, "Sq7mWdXk3nPzT9cRb"),
    CLIENT: (1797, "hT5rLwQ8vKz2fYj6N"),
}

Json = Any
"""JSON with `...` where any value will do; `...` as a list's last item stands for any further ones."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """`name` is a sentence: what happens. `who` is a name of `PEOPLE`, or `NOBODY`."""

    name: str
    method: str = "GET"
    path: str
    who: str = "admin"
    query: Mapping[str, str] | Sequence[tuple[str, str]] = ()
    json: Json = None
    """The body; nothing is sent for None."""
    headers: Mapping[str, str] | None = None
    """Further ones, or others than `who` has."""
    status: int = 200
    answer: Json = ...
    original: tuple[int, Json] | None = None
    """What Rocket.Chat, or Class 4, answers when that is something else."""
    differs: str = ""
    """Why we differ on purpose."""

    def __post_init__(self) -> None:
        assert bool(self.original) == bool(self.differs), f"{self.name}: a difference has its reason, and only that"


def each(table: Sequence[Case]) -> pytest.MarkDecorator:
    """One test per case."""
    names = [case.name for case in table]
    assert len(set(names)) == len(names), "two cases have the same name"
    return pytest.mark.parametrize("case", table, ids=names)


async def ask(server: Server, case: Case) -> None:
    """Ask, and compare status and body."""
    client = server.client
    headers = {**await headers_of(server, case.who), **(case.headers or {})}
    asked = {"params": case.query, "headers": headers} | ({"json": case.json} if case.json is not None else {})
    answer = await client.request(case.method, case.path, **asked)
    text = await answer.text()
    assert answer.status == case.status, f"{case.name}: {answer.status} {text}"
    if case.answer is not ...:
        assert answer.content_type == "application/json", case.name
        assert same(await answer.json(), case.answer), f"{case.name}: {text}"


async def replay(server: Server, table: Sequence[Case]) -> None:
    """Ask for all, from the top: each finds what those before it left."""
    for case in table:
        await ask(server, case)


async def headers_of(server: Server, who: str) -> dict[str, str]:
    """What somebody sends to be known."""
    if who == NOBODY:
        return {}
    return ADMIN if who == "admin" else await server.headers_of(*PEOPLE[who])


def same(found: Json, wanted: Json) -> bool:
    """Whether JSON is what is wanted: the same keys in the same order, `...` for any value, and no 1 for a true."""
    if wanted is ...:
        return True
    if isinstance(wanted, dict):
        return (
            isinstance(found, dict)
            and list(found) == list(wanted)
            and all(same(found[key], value) for key, value in wanted.items())
        )
    if isinstance(wanted, list):
        if wanted and wanted[-1] is ...:
            found, wanted = found[: len(wanted) - 1], wanted[:-1]
        return isinstance(found, list) and len(found) == len(wanted) and all(map(same, found, wanted))
    return type(found) is type(wanted) and bool(found == wanted)


def failed(told: str) -> dict[str, Json]:
    """How the `/api/v1` family says no."""
    return {"success": False, "error": told}


def mismatch(told: str) -> dict[str, Json]:
    """How it refuses an argument."""
    return failed(f"Match error: {told}")


NOT_LOGGED_IN = {
    "status": "error",
    "message": "You must be logged in to do this.",
    "success": False,
    "error": "You must be logged in to do this.",
}
UNAUTHORIZED = failed("unauthorized")
NOT_PERMITTED = failed("User does not have the permissions required for this action [error-unauthorized]")
NO_ENDPOINT = {"status": "error", "message": "API endpoint does not exist"}
