"""The rate limit of wrong tokens under `/p/`, per source.

It never refuses a right token: many phones of an office fetch from one address. A token cannot be guessed (192 random
bits), so the limit is for the noise: beyond it each guess costs its sender a connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from time import monotonic

import structlog
from aiohttp import web

from service.web.http.rate_limit import SourceLimit

log = structlog.get_logger(__name__)

GUESSES_PER_MINUTE = 60
"""Wrong tokens of one source, per process."""


class Guesses(SourceLimit):
    """Counts wrong tokens; one per process."""

    def __init__(self, per_minute: int = GUESSES_PER_MINUTE, clock: Callable[[], float] = monotonic) -> None:
        super().__init__(per_minute, 60, clock)
        self._over_http = False

    def log_over_http(self) -> None:
        """Log that a right token came over http: the first of a process at warning, repeats at debug."""
        log.log(logging.DEBUG if self._over_http else logging.WARNING, "setup_over_http")
        self._over_http = True


GUESSES = web.AppKey("guesses", Guesses)
