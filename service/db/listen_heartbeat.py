"""A heartbeat: a notification that a connection sends to itself. Its return shows that LISTEN works."""

from __future__ import annotations

import asyncio
import re
import uuid

import asyncpg

HEARTBEAT_DEADLINE = 3.0
"""Seconds until the heartbeat must have returned."""

_PAYLOAD = re.compile(r"heartbeat [0-9a-f-]{36}")


class Heartbeat:
    """Sends one heartbeat at a time on a channel that its connection listens to."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._payload = ""
        self._returned: asyncio.Future[None] | None = None

    async def send(self, connection: asyncpg.Connection) -> None:
        """Send a heartbeat and wait for its return. Raises TimeoutError after HEARTBEAT_DEADLINE."""
        self._payload = f"heartbeat {uuid.uuid4()}"
        self._returned = asyncio.get_running_loop().create_future()
        async with asyncio.timeout(HEARTBEAT_DEADLINE):
            await connection.execute("select pg_notify($1, $2)", self._channel, self._payload)
            await self._returned

    def receive(self, payload: str) -> bool:
        """Take a notification. Returns whether it is a heartbeat, of this or another process."""
        if payload == self._payload and self._returned is not None and not self._returned.done():
            self._returned.set_result(None)
            return True
        return _PAYLOAD.fullmatch(payload) is not None
