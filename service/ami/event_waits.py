"""Waiting for an event with a deadline."""

from __future__ import annotations

import asyncio


async def is_set_within(seconds: float, event: asyncio.Event) -> bool:
    """Whether the event is set within so many seconds; returns as soon as it is."""
    try:
        async with asyncio.timeout(seconds):
            return await event.wait()
    except TimeoutError:
        return False
