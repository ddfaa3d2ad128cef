"""`serve`: serves requests until SIGTERM, SIGINT or SIGQUIT, in this process or in workers."""

from __future__ import annotations

import argparse

from service.runtime.process import serve
from service.runtime.service_manager import ServiceManager
from service.runtime.sockets import Sockets
from service.runtime.worker_pool import run_workers
from service.settings import Settings


async def run(settings: Settings, _: argparse.Namespace) -> int:
    """Serve, and return the exit code."""
    manager = ServiceManager.from_environment()
    if settings.workers > 1:
        return await run_workers(settings, manager)
    await serve(settings, Sockets.open(settings), manager=manager)
    return 0
