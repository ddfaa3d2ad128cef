"""Notifications to the service manager that started this process, such as systemd: the protocol of sd_notify(3).

The variable `NOTIFY_SOCKET` names a datagram socket. Without it nothing is sent. `WATCHDOG_USEC` asks for a sign of
life within that time. The event loop sends it, so a stuck loop sends none, and systemd restarts the service. Only the
main process notifies: the variables are taken out of the environment, so that workers do not inherit them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections.abc import AsyncIterator

import structlog

log = structlog.get_logger(__name__)

START_RESERVE, STOP_RESERVE = 30.0, 10.0
"""Seconds beyond the service's own deadlines that a start or a stop may take before the service manager ends it."""
SIGNS_PER_DEADLINE = 3
"""Signs of life within the watchdog's deadline, so that one may be late."""


class ServiceManager:
    """The service manager, if there is one. No notification waits, or raises an error."""

    def __init__(self, address: str | None = None, watchdog_deadline: float | None = None) -> None:
        self._address = address
        self._watchdog_deadline = watchdog_deadline
        self._unreachable = False

    @classmethod
    def from_environment(cls) -> ServiceManager:
        """Take the variables out of the environment. They are not this process's if `WATCHDOG_PID` names another."""
        address = os.environ.pop("NOTIFY_SOCKET", "")
        microseconds = os.environ.pop("WATCHDOG_USEC", "")
        asked = os.environ.pop("WATCHDOG_PID", "") in ("", str(os.getpid()))
        usable = asked and microseconds.isascii() and microseconds.isdecimal() and int(microseconds) > 0
        return cls(address or None, int(microseconds) / 1e6 if usable else None)

    def starting(self, deadline: float) -> None:
        """Report a start that may wait `deadline` seconds for PostgreSQL."""
        self._send(f"EXTEND_TIMEOUT_USEC={_microseconds(deadline + START_RESERVE)}")

    def ready(self) -> None:
        """Report that requests are answered: after a start, and at the end of a reload."""
        self._send("READY=1")

    def reloading(self) -> None:
        """Report the begin of a reload. The time makes it usable with `Type=notify-reload` too."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, deadline: float) -> None:
        """Report a shutdown whose requests have `deadline` seconds."""
        self._send(f"STOPPING=1\nEXTEND_TIMEOUT_USEC={_microseconds(deadline + STOP_RESERVE)}")

    @contextlib.asynccontextmanager
    async def watchdog(self) -> AsyncIterator[None]:
        """Send signs of life until the block ends, if they are asked for."""
        if self._watchdog_deadline is None:
            yield
            return
        task = asyncio.create_task(self._send_signs(self._watchdog_deadline / SIGNS_PER_DEADLINE), name="watchdog")
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def _send_signs(self, interval: float) -> None:
        while True:
            self._send("WATCHDOG=1")
            await asyncio.sleep(interval)

    def _send(self, state: str) -> None:
        if self._address is None:
            return
        # A leading `@` stands for the null byte of Linux's abstract sockets.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as notifications:
                notifications.setblocking(False)
                notifications.sendto(state.encode(), address)
        except OSError as error:
            if not self._unreachable:
                log.warning("service_manager_unreachable", error=str(error))
            self._unreachable = True
        else:
            self._unreachable = False


def _microseconds(seconds: float) -> int:
    return int(seconds * 1e6)
