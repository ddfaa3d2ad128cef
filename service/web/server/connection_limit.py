"""How many clients a process has at once, and who goes when one more comes: see docs/decisions/0011."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network
from time import monotonic
from typing import Protocol

import structlog
from aiohttp import web

from service.domain.networks import address_of, prefix

log = structlog.get_logger(__name__)

MOST = 32_768
"""Clients of a process, where files would last for more: each takes about 12 KB, also while it rests."""
LEAST = 8
"""Clients of a process, however few files there are."""
LOOKED_AT, LOOKS = 20, 3
"""Clients among whom one that may go is looked for, and how often: looking at all would hold the loop."""
TOLD_EVERY = 60.0
"""Seconds between two lines in the log."""

Network = IPv4Network | IPv6Network


class Client(Protocol):
    """A connection, as it is seen from here."""

    place: str
    number: int

    def __hash__(self) -> int: ...

    def rests_since(self) -> float | None:
        """Since when nothing is asked on it, in the loop's time; None while something is, or is being answered."""

    def force_close(self) -> None:
        """End it."""


class ConnectionLimit:
    """One per process, for all its ports.

    There is no fixed bound per address: behind one there may be an office. But where there is no room, a connection at
    rest makes it, of the address that has the most: who opens thousands replaces their own. Trusted proxies go last.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self.most = MOST
        self._trusted = trusted
        self._all: list[Client] = []
        self._per_place: Counter[str] = Counter()
        self._told_at = float("-inf")

    def __len__(self) -> int:
        return len(self._all)

    def place_of(self, address: str) -> str:
        """What counts as one address; none for a trusted proxy, which speaks for many."""
        parsed = address_of(address)
        return "" if parsed is not None and any(parsed in network for network in self._trusted) else prefix(address)

    def begin(self, client: Client) -> None:
        """It is here; `place` is set."""
        client.number = len(self._all)
        self._all.append(client)
        self._per_place[client.place] += 1

    def end(self, client: Client) -> None:
        """It is gone; it may be said twice."""
        if client.number < 0:
            return
        last = self._all.pop()
        if last is not client:
            self._all[client.number] = last
            last.number = client.number
        client.number = -1
        self._per_place[client.place] -= 1
        if not self._per_place[client.place]:
            del self._per_place[client.place]

    def has_room(self) -> bool:
        """Whether one more may be let in; where there is no room, one at rest makes it."""
        if len(self._all) < self.most:
            return True
        if (now := monotonic()) - self._told_at > TOLD_EVERY:
            self._told_at = now
            log.warning("connection_limit_reached", limit=self.most)
        return self.make_room()

    def make_room(self) -> bool:
        """End one connection at rest. False when none was found."""
        for _ in range(LOOKS):
            seen = random.sample(self._all, min(LOOKED_AT, len(self._all)))
            resting = [
                (self._weight(one), -since, one.number) for one in seen if (since := one.rests_since()) is not None
            ]
            if resting:
                client = self._all[max(resting)[-1]]
                self.end(client)
                client.force_close()
                return True
        return False

    def _weight(self, client: Client) -> int:
        return self._per_place[client.place] if client.place else 0


CONNECTION_LIMIT = web.AppKey("connections", ConnectionLimit)
