"""Log lines about single devices: once each, and limited in number."""

from __future__ import annotations

import logging

import structlog

MAX_NAMED = 20
"""Maximum devices named above level debug at one time: a log that names 20,000 is useless."""


class LimitedWarnings:
    """Logs each event of a device once at its level; repeats, and more than MAX_NAMED devices, at debug."""

    def __init__(self, log: structlog.stdlib.BoundLogger) -> None:
        self._log = log
        self._logged: dict[str, set[str]] = {}  # events by device
        self._too_many = False

    def log(self, level: int, event: str, device: str, **fields: object) -> None:
        """Log a problem with this device."""
        logged = self._logged.get(device)
        if logged is None and len(self._logged) >= MAX_NAMED:
            if not self._too_many:
                self._log.warning("extension_warnings_suppressed", limit=MAX_NAMED)
            self._too_many = True
            level = logging.DEBUG
        elif logged is not None and event in logged:
            level = logging.DEBUG
        else:
            self._logged.setdefault(device, set()).add(event)
        self._log.log(level, event, device=device, **fields)

    def clear(self, device: str) -> None:
        """Forget a device that has recovered or was removed: its next problem is new."""
        self._logged.pop(device, None)
        if not self._logged:
            self._too_many = False
