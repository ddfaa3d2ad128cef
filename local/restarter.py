"""Restarts a program whenever it ends, with an exponential backoff."""

import time
from collections.abc import Callable, Iterator
from typing import Protocol

from local import console

SHORTEST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
HEALTHY_AFTER_S = 30.0


class Program(Protocol):
    """What a Restarter runs. `start` does not wait until the program is ready."""

    def start(self) -> None: ...
    def is_running(self) -> bool: ...
    def stop(self) -> None: ...


class Restarter:
    """Starts a program, and restarts it whenever it has ended. The backoff resets after HEALTHY_AFTER_S of uptime."""

    def __init__(
        self,
        name: str,
        program: Program,
        *,
        clock: Callable[[], float] = time.monotonic,
        log: Callable[[str, str], None] = console.log,
    ) -> None:
        self.name = name
        self.program = program
        self._clock = clock
        self._log = log
        self._delays = restart_delays()
        self._started_at = 0.0
        self._next_start: float | None = None

    def start(self) -> None:
        """The first start. Its errors reach the caller; those of later starts are logged."""
        self._started_at = self._clock()
        self.program.start()

    def restart(self) -> None:
        """Stop the program and start it at once, with the backoff reset."""
        self.program.stop()
        self._delays = restart_delays()
        self._start_again(self._clock())

    def poll(self) -> None:
        """Check the program once, and restart it when a restart is due. Call it periodically."""
        now = self._clock()
        if self.program.is_running():
            if now - self._started_at > HEALTHY_AFTER_S:
                self._delays = restart_delays()
            return
        if self._next_start is None:
            delay = next(self._delays)
            self._next_start = now + delay
            self._log("run", f"{self.name} has ended; restarting it in {delay:g} s")
        elif now >= self._next_start:
            self._start_again(now)

    def _start_again(self, now: float) -> None:
        self._next_start = None
        self._started_at = now
        try:
            self.program.start()
        except Exception as error:
            self._log("run", f"{self.name} does not start: {error}")


def restart_delays() -> Iterator[float]:
    """Seconds before each restart: doubled each time, up to LONGEST_DELAY_S."""
    delay = SHORTEST_DELAY_S
    while True:
        yield delay
        delay = min(2 * delay, LONGEST_DELAY_S)
