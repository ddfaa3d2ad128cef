"""What the service and its libraries log: no secret, and no bug."""

from __future__ import annotations

import logging
from collections.abc import Callable

import structlog

from tests.simulation.marks import SECRET_MARK, TOKEN_MARK
from tests.simulation.world import World

BUGS = ("internal_error", "response_aborted", "task_ended_unexpectedly", "asyncio", "aiohttp.server")
"""Events and loggers of which each line tells of a bug."""


class LogWatch(logging.Handler):
    """Takes all lines. `is_stopping` tells whether the process ends, `secrets` are further ones, without a mark."""

    def __init__(self, world: World, wrong: Callable[[str], None], is_stopping: Callable[[], bool]) -> None:
        super().__init__(logging.WARNING)
        self.secrets: set[str] = set()
        self._world = world
        self._wrong = wrong
        self._is_stopping = is_stopping

    def install(self) -> None:
        """Become the only log."""
        structlog.configure(processors=[self._take], cache_logger_on_first_use=False)
        logging.getLogger().handlers[:] = [self]

    def emit(self, record: logging.LogRecord) -> None:
        self._look_at(record.name, f"{record.getMessage()} {record.exc_info}")

    def _take(self, _logger: object, _name: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        text = " ".join(f"{key}={value!r}" for key, value in sorted(event.items()))
        self._look_at(str(event.get("event", "")), text)
        raise structlog.DropEvent

    def _look_at(self, name: str, text: str) -> None:
        if SECRET_MARK in text or TOKEN_MARK in text or any(secret in text for secret in self.secrets):
            self._wrong(f"a secret is logged: {text}")
        if "InvalidStateError" in text and self._is_stopping():
            return  # of aiohttp, whose request ends in the moment in which it gives up waiting for it
        if name in BUGS:
            self._wrong(f"a bug is logged: {text}")
        self._world.note(f"log {name}")
