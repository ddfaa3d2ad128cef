"""`serve`: answer requests until SIGTERM or SIGINT, in this process or in workers."""

from __future__ import annotations

import argparse

from service.serving import serve
from service.settings import Settings
from service.sockets import Sockets
from service.workers import supervise


async def run(settings: Settings, _: argparse.Namespace) -> int:
    """Returns the exit code."""
    if settings.workers > 1:
        return await supervise(settings)
    await serve(settings, Sockets.opened(settings))
    return 0
