"""What ties a worker to its parent: its place, and a socket pair, which the kernel closes when either dies, however.

The worker sends a byte once it is ready, and from then on one a second from its event loop. The parent sends nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from typing import Self

import msgspec

BEAT_EVERY = 1.0
"""Seconds between two signs of life."""


class Place(msgspec.Struct, frozen=True):
    """What a worker is told on its command line. The sockets are numbers of inherited file descriptors."""

    number: int
    restarts: int
    heartbeat_channel: int
    public: list[int]
    operators: list[int]
    worker_metrics: list[int]


class HeartbeatChannel:
    """The worker's end. `cut` is called when the parent is no more."""

    def __init__(self, number: int, cut: Callable[[], None]) -> None:
        self._number = number
        self._cut = cut
        self._ready = asyncio.Event()

    def ready(self) -> None:
        """Requests are answered from now on."""
        self._ready.set()

    async def __aenter__(self) -> Self:
        self._socket = socket.socket(fileno=self._number)
        self._socket.setblocking(False)
        self._tasks = [asyncio.create_task(work, name="lifeline") for work in (self._beat(), self._watch())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._socket.close()

    async def _beat(self) -> None:
        await self._ready.wait()
        while True:
            with contextlib.suppress(OSError):  # the parent is frozen, or gone
                self._socket.send(b".")
            await asyncio.sleep(BEAT_EVERY)

    async def _watch(self) -> None:
        with contextlib.suppress(ConnectionError):
            await asyncio.get_running_loop().sock_recv(self._socket, 1)
        self._cut()
