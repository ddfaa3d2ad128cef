"""Whether anything is wrong between the service and PostgreSQL: while all is well, more is promised."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from tests.simulation.database.cluster import Cluster
from tests.simulation.database.rows import Commit
from tests.simulation.world import World

KNOWN_WITHIN = 0.1
"""Seconds until a change is known to the service, while the listener is proved."""


class Calm:
    """True if no fault is under way, and the listener has shown since the last one that it works."""

    def __init__(self, world: World, cluster: Cluster) -> None:
        self._world = world
        self._cluster = cluster
        self._under_way = 0
        self.since = 0.0
        """The uptime at which the last fault ended."""

    def __bool__(self) -> bool:
        if self._under_way or self._cluster.network.lost:
            return False
        return self._cluster.proof > self.since and len(self._cluster.listeners) > 0

    async def disturbed_by(self, fault: Awaitable[None]) -> None:
        """Run a fault."""
        self._under_way += 1
        try:
            await fault
        finally:
            self._under_way -= 1
            self.since = self._world.uptime()

    def after_commit(self, commit: Commit, check: Callable[[], None]) -> None:
        """Call this at a commit. If all is well for KNOWN_WITHIN more seconds, `check` is called then."""
        if not self or any(payload.endswith("*") for _, payload in commit.notifications):
            return
        since = self.since

        def check_if_calm() -> None:
            if self and self.since == since:
                check()

        asyncio.get_running_loop().call_later(KNOWN_WITHIN, check_if_calm)
