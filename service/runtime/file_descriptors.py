"""File descriptors: how many remain for clients beside those that the service itself needs."""

from __future__ import annotations

import contextlib
import resource
from pathlib import Path

import structlog

from service.settings import Settings

log = structlog.get_logger(__name__)

PER_CALL_SERVER = 4
"""The link and short-lived connections beside it."""
SPARE = 32
"""For files that libraries open, name resolution, other workers' metrics, and clients being accepted or closed."""


def raise_limit() -> None:
    """Raise the soft limit to the hard limit. The usual soft limit of 1024 is for programs that use select()."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def left_for_clients(settings: Settings) -> int:
    """Return the descriptors left for clients. Call it when all else is open; a reserve allows to reopen all of it."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = soft if soft != resource.RLIM_INFINITY else 1 << 30
    reserve = settings.database_pool + PER_CALL_SERVER * len(settings.call_servers) + 2 * settings.workers + SPARE
    left = limit - len([*Path("/proc/self/fd").iterdir()]) - reserve
    if left < reserve:
        log.warning("file_limit_low", limit=limit, max_clients=left)
    return left
