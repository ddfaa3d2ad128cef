"""Waits at a process's start for the first full read of PostgreSQL."""

from __future__ import annotations

import asyncio

from service.db.change_listener import ChangeListener
from service.errors import ConfigurationError
from service.runtime.task_supervisor import Supervisor


async def wait_until_loaded(changes: ChangeListener, supervisor: Supervisor, deadline: float) -> None:
    """Wait for the first full read. Raises ConfigurationError, and RuntimeError when a task ends meanwhile."""
    loaded = asyncio.create_task(changes.loaded.wait(), name="first full read")
    try:
        await asyncio.wait((loaded, supervisor.failed), timeout=deadline, return_when=asyncio.FIRST_COMPLETED)
        if supervisor.failed.done():
            raise RuntimeError(supervisor.failed.result())
        if not loaded.done():
            cause = f": {changes.last_error}" if changes.last_error else ""
            raise ConfigurationError(f"PostgreSQL could not be read within {deadline:g} s{cause}")
    finally:
        loaded.cancel()
