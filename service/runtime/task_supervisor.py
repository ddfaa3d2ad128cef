"""Supervises the tasks that must run as long as the process."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine

import structlog

log = structlog.get_logger(__name__)

CANCEL_INTERVAL = 0.2
"""Seconds between cancellations of a task. Before Python 3.13 a TaskGroup that ends with errors loses a concurrent
cancellation, so that a task which handles the errors continues."""


class Supervisor:
    """Owns tasks that must never end by themselves, because a feeder that dies silently is the worst failure."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[None], None] = {}
        """In the order in which they were started, in which they are cancelled."""
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Set when a task has ended by itself: its name and the cause."""

    async def __aenter__(self) -> Supervisor:
        return self

    async def __aexit__(self, *_: object) -> None:
        pending = [*self._tasks]
        while pending:
            for task in pending:
                task.cancel()
            left = (await asyncio.wait(pending, timeout=CANCEL_INTERVAL))[1]
            pending = [task for task in pending if task in left]

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Start a task that runs until the supervisor ends."""
        task = asyncio.create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        log.critical("task_ended_unexpectedly", task=task.get_name(), exc_info=error)
        if not self.failed.done():
            cause = f": {_first_error(error)!r}" if error is not None else ""
            self.failed.set_result(f"the task {task.get_name()!r} ended by itself{cause}")


def _first_error(error: BaseException) -> BaseException:
    """Return the first error of nested exception groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
