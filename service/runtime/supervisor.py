"""Supervision: the tasks that must run as long as the process does."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger(__name__)

CANCEL_AGAIN = 0.2
"""Seconds after which a task is told again to end. Until Python 3.13 a TaskGroup that ends with errors loses a
cancellation that comes at the same moment, and whoever handles the errors goes on: as when all is stopped at once."""


class Supervisor:
    """Owns the tasks that must never end by themselves: a silently dead feeder is the worst failure there is."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Which task ended by itself first, and why, once one has."""

    async def __aenter__(self) -> Supervisor:
        return self

    async def __aexit__(self, *_: object) -> None:
        pending = self._tasks
        while pending:
            for task in pending:
                task.cancel()
            pending = (await asyncio.wait(pending, timeout=CANCEL_AGAIN))[1]

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Run something until the supervisor ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        log.critical("task_ended_unexpectedly", task=task.get_name(), exc_info=error)
        if not self.failed.done():
            why = f": {_first(error)!r}" if error is not None else ""
            self.failed.set_result(f"the task {task.get_name()!r} ended by itself{why}")


def _first(error: BaseException) -> BaseException:
    """What a group of errors began with."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
