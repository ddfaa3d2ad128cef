"""A follower's requests for snapshots: one per collector at a time, limited in rate and spread by chance."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

from service.bus.messages import Chunk, PullChunk, encode
from service.bus.replica import Replica

PATIENCE = 0.5
"""Seconds without a chunk until a snapshot is begun again, and up to as many more, by chance."""
MIN_INTERVAL = 0.2
"""Seconds between two snapshots of one collector at least, and up to as many more, by chance."""


@dataclass(slots=True)
class _Request:
    number: int
    next_at: float
    """When the next one may begin if this one is void."""
    overdue_at: float
    """When the chunk that is awaited is given up."""
    next_chunk: int = 0


class SnapshotRequests:
    """The requests of one follower. `send` goes to a collector; `chance` returns 0.0 to 1.0."""

    def __init__(
        self, send: Callable[[bytes, str | None], None], clock: Callable[[], float], chance: Callable[[], float]
    ) -> None:
        self.begun = 0
        """Snapshots begun."""
        self._send = send
        self._clock = clock
        self._chance = chance
        self._numbers = itertools.count(1)
        self._requests: dict[str, _Request] = {}

    def request_if_needed(self, replica: Replica) -> None:
        """Request a snapshot of a copy that is not complete, unless one is under way, or was begun just now."""
        if replica.complete or not replica.epoch:
            return
        now = self._clock()
        last = self._requests.get(replica.name)
        if last is not None and now < (last.overdue_at if last.number == replica.awaited else last.next_at):
            return
        self.begun += 1
        number = next(self._numbers)
        self._requests[replica.name] = _Request(number, now + self._pause(MIN_INTERVAL), now + self._pause(PATIENCE))
        replica.begin_snapshot(number)
        self._send(encode(PullChunk(replica.epoch, number, 0)), replica.name)

    def take_chunk(self, replica: Replica, chunk: Chunk) -> None:
        """Apply a chunk to its copy if it is the one that is awaited, and ask for the next one."""
        request = self._requests.get(replica.name)
        if request is None or chunk.epoch != replica.epoch or chunk.snapshot != replica.awaited:
            return
        if (request.number, request.next_chunk) != (chunk.snapshot, chunk.number) or not replica.take_chunk(chunk):
            return
        request.next_chunk += 1
        request.overdue_at = self._clock() + self._pause(PATIENCE)
        if not chunk.last:
            self._send(encode(PullChunk(chunk.epoch, request.number, request.next_chunk)), replica.name)

    def forget(self, collector: str) -> None:
        """Forget a collector that is gone."""
        self._requests.pop(collector, None)

    def _pause(self, seconds: float) -> float:
        """So many seconds, and up to as many more: followers that lost the same thing do not ask together."""
        return seconds * (1 + self._chance())
