"""How long two fresh maps of one call server have differed, and in how many entries.

Collectors hear of a change some milliseconds apart, so entries differ all the time, for moments. One that still has
the same two values at the next comparison says that a collector has lost an event, or that a broker delays one of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import structlog

from service.bus.entries import Key, Table
from service.bus.replica import Replica
from service.clock import uptime
from service.slices import in_slices

log = structlog.get_logger(__name__)

INTERVAL = 5.0
"""Seconds between two comparisons."""
COMPARED: tuple[Table, ...] = ("hints", "devices", "presences")
"""What collectors must know alike. Contacts, queues and troubles are also read at moments of each one's own."""
SLICE = 2_000
"""Keys per turn of the event loop: less than a millisecond."""
MAX_DIFFERING = 1_000
"""Entries that are remembered; the count ends there."""

_Found = dict[tuple[Table, Key], tuple[Any, Any, float]]
"""Both values of each entry that differs, and since when."""


class Differences:
    """Compares the fresh copies of one call server, two at a time. `run` never returns."""

    def __init__(
        self, call_server: str, copies: Mapping[str, Replica], deadline: float, clock: Callable[[], float] = uptime
    ) -> None:
        self._call_server = call_server
        self._copies = copies
        self._deadline = deadline
        self._clock = clock
        self._found: dict[tuple[str, str], _Found] = {}
        """By two collectors."""
        self.entries = 0
        """Entries that had the same two values at two comparisons or more."""
        self._since: float | None = None

    @property
    def seconds(self) -> float:
        """How long the oldest of them has differed; 0 without one."""
        return 0.0 if self._since is None else self._clock() - self._since

    async def run(self) -> None:
        """Compare until cancelled."""
        while True:
            await asyncio.sleep(INTERVAL)
            await self.compare()

    async def compare(self) -> None:
        """Compare once, in slices."""
        now = self._clock()
        fresh = [replica for _, replica in sorted(self._copies.items()) if replica.is_fresh(now, self._deadline)]
        found = {(one.name, other.name): await _differing(one, other) for one, other in pairwise(fresh)}
        now, lasting = self._clock(), []
        for pair, entries in found.items():
            before = self._found.get(pair, {})
            for entry, (one, other, _) in entries.items():
                if (known := before.get(entry)) is not None and known[:2] == (one, other):
                    entries[entry] = known
                    lasting.append(known[2])
                else:
                    entries[entry] = one, other, now
        differed = self._since is not None
        self._found, self.entries, self._since = found, len(lasting), min(lasting, default=None)
        if lasting and not differed:
            log.warning("collectors_differ", call_server=self._call_server, entries=len(lasting))
        elif differed and not lasting:
            log.info("collectors_agree", call_server=self._call_server)


async def _differing(one: Replica, other: Replica) -> _Found:
    """Return the entries in which two copies differ; none if one of them ends, or begins anew, meanwhile."""
    epochs = one.epoch, other.epoch
    found: _Found = {}
    for table in COMPARED:
        first, second = one.tables[table], other.tables[table]
        async for part in in_slices([*first, *(second.keys() - first.keys())], SLICE):
            if (one.epoch, other.epoch) != epochs or not (one.complete and other.complete):
                return {}
            for key in part:
                if (value := first.get(key)) != (its := second.get(key)) and len(found) < MAX_DIFFERING:
                    found[table, key] = value, its, 0.0
    return found
