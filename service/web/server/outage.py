"""Logs that the service is unavailable, once per outage."""

from __future__ import annotations

import logging
from time import monotonic

import structlog
from aiohttp import web

from service.errors import Unavailable

log = structlog.get_logger(__name__)

OUTAGE_ENDS = 10.0
"""Seconds without a failure after which the next one starts a new outage."""


class Outage:
    """Logs requests that got a 503: the first of an outage at warning, repeats at debug."""

    def __init__(self) -> None:
        self._last = float("-inf")

    def report(self, error: Unavailable, request_id: str, path: str) -> None:
        """Log one such request."""
        now = monotonic()
        level = logging.WARNING if now - self._last > OUTAGE_ENDS else logging.DEBUG
        self._last = now
        log.log(level, "service_unavailable", error=str(error), request_id=request_id, path=path)


OUTAGE = web.AppKey("outage", Outage)
