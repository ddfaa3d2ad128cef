"""Closes a connection that has been idle for too long. aiohttp's own timer knows only of its own requests."""

from __future__ import annotations

import asyncio
from typing import Protocol


class Client(Protocol):
    """A connection."""

    idle_timer: asyncio.TimerHandle | None

    def idle_since(self) -> float | None:
        """Since when no request is pending, in the event loop's time; None while one is."""

    def force_close(self) -> None:
        """Close it."""


def close_when_idle(client: Client, seconds: float) -> None:
    """Close a client that is idle for so many seconds, or look again when it may be: so an answer costs nothing."""
    loop, since = asyncio.get_running_loop(), client.idle_since()
    now = loop.time()
    if since is not None and now - since >= seconds:
        client.force_close()
    else:
        client.idle_timer = loop.call_at((now if since is None else since) + seconds, close_when_idle, client, seconds)


def stop(client: Client) -> None:
    """Look no more."""
    if client.idle_timer is not None:
        client.idle_timer.cancel()
        client.idle_timer = None
