"""The heartbeat channel between a worker and its parent: a socket pair, which the kernel closes when either dies.

Once ready, the worker sends a byte, then one per second from its event loop. The parent sends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Self

import msgspec

HEARTBEAT_INTERVAL = 1.0
"""Seconds between heartbeats."""


class WorkerParameters(msgspec.Struct, frozen=True):
    """A worker's parameters on its command line. Sockets are inherited file descriptors."""

    number: int
    restarts: int
    heartbeat_channel: int
    public: list[int]
    operators: list[int]
    worker_metrics: list[int]
    folder: str | None = None
    """The folder of the collector's sockets; None if the worker follows other machines."""


class CollectorParameters(msgspec.Struct, frozen=True):
    """A collector's parameters on its command line."""

    folder: str
    name: str
    """Of its socket in the folder."""
    heartbeat_channel: int
    replaces: bool
    """Whether another one runs, which goes once this one is ready."""


class HeartbeatChannel:
    """The worker's end. `closed` is called when the parent has ended."""

    def __init__(self, descriptor: int, closed: Callable[[], None]) -> None:
        self._descriptor = descriptor
        self._closed = closed
        self._ready = asyncio.Event()

    def ready(self) -> None:
        """Start to send heartbeats: the worker answers requests from now on."""
        self._ready.set()

    async def __aenter__(self) -> Self:
        self._socket = socket.socket(fileno=self._descriptor)
        self._socket.setblocking(False)
        loops = (self._send_heartbeats(), self._wait_for_close())
        self._tasks = [asyncio.create_task(loop, name="heartbeat channel") for loop in loops]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    async def _send_heartbeats(self) -> None:
        await self._ready.wait()
        while True:
            with contextlib.suppress(OSError):  # the parent is frozen or has ended
                self._socket.send(b".")
            await asyncio.sleep(HEARTBEAT_INTERVAL)

    async def _wait_for_close(self) -> None:
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_recv(self._socket, 1)
        self._closed()
