"""What a client asks of presence. A poller asks the same again and again, so a question is read once."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from aiohttp import web
from yarl import URL

REMEMBERED, LARGEST = 4_096, 512
"""Questions that are remembered, and the bytes of the largest: ten extensions take a hundred."""
_FILTERS = re.compile(r"(?:(?:extension|userId)=[^&]*(?:&|\Z))*")
"""What is asked again. A cursor is asked for once, and a ticket is nobody's to remember."""


@dataclass(frozen=True, slots=True)
class PresenceQuestion:
    """The filters, without which it is everything, the cursor, and whether there is an argument `wait`."""

    numbers: frozenset[str]
    uids: frozenset[str]
    since: str | None
    waits: bool


def asked(request: web.Request) -> PresenceQuestion:
    """The filters `extension` and `userId`, repeated or separated by commas, `since`, and whether there is a `wait`."""
    query = request.rel_url.raw_query_string
    again = len(query) <= LARGEST and _FILTERS.fullmatch(query)
    return _remembered(query) if again else _parsed(query)


def _parsed(query: str) -> PresenceQuestion:
    arguments = URL.build(query_string=query, encoded=True).query
    numbers, uids = (_items(arguments.getall(name, [])) for name in ("extension", "userId"))
    return PresenceQuestion(numbers, uids, arguments.get("since"), "wait" in arguments)


def _items(values: Iterable[str]) -> frozenset[str]:
    """What is in a list; empty items do not count, so an empty list filters nothing."""
    return frozenset(item for text in values for each in text.split(",") if (item := each.strip()))


_remembered = lru_cache(REMEMBERED)(_parsed)
