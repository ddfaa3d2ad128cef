"""File descriptors: each client takes one, and so does everything that the service needs to answer them."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import structlog

from service.settings import Settings

log = structlog.get_logger(__name__)

PER_CALL_SERVER = 4
"""The link, and what is opened for a moment beside it."""
SPARE = 32
"""Libraries that open a file, names that are resolved, metrics of other workers, clients that are let in and out."""


def raise_limit() -> None:
    """Take what the hard limit allows: the usual soft limit of 1024 is for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def left_for_clients(settings: Settings) -> int:
    """How many files clients may take, now that all else is open, so that whatever is lost can be opened again."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft if soft != resource.RLIM_INFINITY else 1 << 30
    reserve = settings.database_pool + PER_CALL_SERVER * len(settings.call_servers) + 2 * settings.workers + SPARE
    left = limit - len([*Path("/proc/self/fd").iterdir()]) - reserve
    if left < reserve:
        log.warning("file_limit_low", limit=limit, max_clients=left)
    return left
