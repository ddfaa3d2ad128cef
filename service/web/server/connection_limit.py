"""Limits the connections of a process, and chooses which one to close for a new one: see docs/decisions/0011."""

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

MAX_CONNECTIONS = 32_768
"""Upper bound of the limit, even if there are more file descriptors: an idle connection takes about 12 KB."""
MIN_CONNECTIONS = 8
"""Lower bound of the limit, however few file descriptors there are."""
SAMPLE_SIZE, MAX_SAMPLES = 20, 3
"""Connections in a random sample that is searched for an idle one, and samples: a full search would block the loop."""
LOG_INTERVAL = 60.0
"""Minimum seconds between two log lines."""

Network = IPv4Network | IPv6Network


class Client(Protocol):
    """A connection."""

    place: str
    number: int

    def __hash__(self) -> int: ...

    def idle_since(self) -> float | None:
        """Since when no request is pending, in the event loop's time; None while one is."""

    def force_close(self) -> None:
        """Close it."""


class ConnectionLimit:
    """The limit of a process, for all its ports.

    There is no fixed limit per address: an office may share one. When the limit is reached, an idle connection is
    closed, from the address with the most: a client that opens thousands replaces its own. Trusted proxies come last.
    """

    def __init__(self, trusted: Sequence[Network]) -> None:
        self.max_connections = MAX_CONNECTIONS
        self._trusted = trusted
        self._all: list[Client] = []
        self._per_place: Counter[str] = Counter()
        self._logged_at = float("-inf")
        self.displaced = 0
        """Idle connections that were closed to make room."""

    def __len__(self) -> int:
        return len(self._all)

    def place_of(self, address: str) -> str:
        """The key under which an address is counted; empty for a trusted proxy, which serves many clients."""
        parsed = address_of(address)
        return "" if parsed is not None and any(parsed in network for network in self._trusted) else prefix(address)

    def add(self, client: Client) -> None:
        """Count a connection; its `place` is set."""
        client.number = len(self._all)
        self._all.append(client)
        self._per_place[client.place] += 1

    def remove(self, client: Client) -> None:
        """Stop counting a connection. May be called twice."""
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
        """Whether one more connection is allowed; at the limit an idle one is closed for it."""
        if len(self._all) < self.max_connections:
            return True
        if (now := monotonic()) - self._logged_at > LOG_INTERVAL:
            self._logged_at = now
            log.warning("connection_limit_reached", limit=self.max_connections)
        return self.make_room()

    def make_room(self) -> bool:
        """Close an idle connection. Returns whether one was found."""
        for _ in range(MAX_SAMPLES):
            sample = random.sample(self._all, min(SAMPLE_SIZE, len(self._all)))
            idle = [
                (self._weight(one), -since, one.number) for one in sample if (since := one.idle_since()) is not None
            ]
            if idle:
                client = self._all[max(idle)[-1]]
                self.remove(client)
                client.force_close()
                self.displaced += 1
                return True
        return False

    def _weight(self, client: Client) -> int:
        return self._per_place[client.place] if client.place else 0


CONNECTION_LIMIT = web.AppKey("connection_limit", ConnectionLimit)
