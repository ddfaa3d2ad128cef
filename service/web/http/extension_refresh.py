"""Read-your-writes for extensions."""

from __future__ import annotations

import asyncio

from aiohttp import web

from service.web.app_keys import CHANGE_LISTENER

REFRESH_DEADLINE = 1.0
"""Seconds that a response waits for this process to re-read what it wrote."""


async def refresh_extensions(request: web.Request, *numbers: str) -> None:
    """Have this process re-read written extensions before the response; other processes follow within milliseconds."""
    changes = request.app[CHANGE_LISTENER]
    await asyncio.gather(*(changes.refresh(f"extension {number}", within=REFRESH_DEADLINE) for number in numbers))
