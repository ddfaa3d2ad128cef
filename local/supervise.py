"""Keeping programs running, and their output readable: each line behind its program's name."""

import contextlib
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Protocol

SHORTEST_DELAY_S = 0.5
LONGEST_DELAY_S = 15.0
HEALTHY_AFTER_S = 30.0

_printing = threading.Lock()


def say(name: str, text: str) -> None:
    """One line behind a name. That nobody may be reading any more is no reason to stop."""
    show(f"{name:<8} | {text}")


def show(line: str) -> None:
    with _printing, contextlib.suppress(OSError, ValueError):
        print(line, flush=True)


class LogPipe:
    """What is written to `fd` is printed by `say`, until `close`."""

    def __init__(self, name: str) -> None:
        reading, self.fd = os.pipe()
        self._reader = threading.Thread(target=_print_lines, args=[name, reading], name=f"{name} log", daemon=True)
        self._reader.start()

    def close(self, patience_s: float = 2.0) -> None:
        """To be called when the writers have ended; what they wrote is printed."""
        os.close(self.fd)
        self._reader.join(patience_s)


def _print_lines(name: str, reading: int) -> None:
    with open(reading, encoding="utf-8", errors="replace") as stream:
        for line in stream:
            if text := line.rstrip():
                say(name, text)


class Program(Protocol):
    """What can be kept running. `start` does not wait until it is ready."""

    def start(self) -> None: ...
    def is_running(self) -> bool: ...
    def stop(self) -> None: ...


class Keeper:
    """Starts a program, and again whenever it has ended: soon at first, ever later while it keeps ending."""

    def __init__(
        self,
        name: str,
        program: Program,
        *,
        clock: Callable[[], float] = time.monotonic,
        say: Callable[[str, str], None] = say,
    ) -> None:
        self.name = name
        self.program = program
        self._clock = clock
        self._say = say
        self._delays = delays()
        self._started_at = 0.0
        self._next_start: float | None = None

    def start(self) -> None:
        """The first start; its errors are the caller's."""
        self._started_at = self._clock()
        self.program.start()

    def look(self) -> None:
        """To be called again and again."""
        now = self._clock()
        if self.program.is_running():
            if now - self._started_at > HEALTHY_AFTER_S:
                self._delays = delays()
            return
        if self._next_start is None:
            delay = next(self._delays)
            self._next_start = now + delay
            self._say("run", f"{self.name} has ended; starting it again in {delay:g} s")
        elif now >= self._next_start:
            self._next_start = None
            self._started_at = now
            try:
                self.program.start()
            except Exception as error:
                self._say("run", f"{self.name} does not start: {error}")


def delays() -> "itertools.chain[float]":
    """Seconds before each next start."""
    doubling = itertools.takewhile(
        lambda delay: delay < LONGEST_DELAY_S, (SHORTEST_DELAY_S * 2**n for n in itertools.count())
    )
    return itertools.chain(doubling, itertools.repeat(LONGEST_DELAY_S))
