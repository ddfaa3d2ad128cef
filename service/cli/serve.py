"""`serve`: answer requests until SIGTERM or SIGINT, in this process or in workers."""

from __future__ import annotations

import argparse

from service.runtime.process import serve
from service.runtime.sockets import Sockets
from service.runtime.worker_pool import supervise
from service.settings import Settings


async def run(settings: Settings, _: argparse.Namespace) -> int:
    """Returns the exit code."""
    if settings.workers > 1:
        return await supervise(settings)
    await serve(settings, Sockets.opened(settings))
    return 0
