"""The event loop of a world: simloop's, with an end to a world that spins, and a faster one for worlds without a trace.

Both run the same universe for a seed: they draw from the same chance at the same places.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from asyncio import events
from collections.abc import Callable
from contextvars import Context
from typing import Any

from simloop import SimLoop

MAX_TURNS = 300_000
"""Turns of the event loop at one moment of simulated time, after which the world has failed."""


class Spun(Exception):
    """The loop turned again and again without the time moving."""


class _Chooser:
    """The order of what is ready, by the seed. What is ready alone needs no chance."""

    diverged_at = None

    def __init__(self, below: Callable[[int], int]) -> None:
        self._below = below

    def choose(self, ready: Any) -> int:
        count = len(ready)
        return self._below(count) if count > 1 else 0


class TracedLoop(SimLoop):  # type: ignore[misc]
    """simloop's own, which records each decision. It ends a world in which time stands still."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        policy: Any = self._policy
        self._below: Callable[[int], int] = policy._rng.randrange
        self._policy: Any = _Chooser(self._below)
        self._now: float = 0.0
        self._running = self._stopping = False
        self._turns = 0

    def allow_more_turns(self) -> None:
        """Begin to count anew."""
        self._turns = 0

    def _step(self) -> None:
        self._turns += 1
        if self._turns > MAX_TURNS:
            raise Spun(f"{MAX_TURNS} turns of the loop at {self._now:.6f} s")
        super()._step()

    def _advance_clock(self) -> None:
        before = self._now
        super()._advance_clock()
        if self._now > before:
            self._turns = 0


class FastLoop(TracedLoop):
    """The same without a record: no label, no host and no number of a callback is looked up."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self._numbers = itertools.count()
        self._net._trace = lambda verb, packet: None

    def time(self) -> float:
        return self._now  # no host's clock is wrong by itself

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def _call_at_true(
        self, when: float, shown: float, callback: Callable[..., object], args: Any, context: Context | None
    ) -> asyncio.TimerHandle:
        timer = asyncio.TimerHandle(shown, callback, args, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _step(self) -> None:
        ready = self._ready
        if not ready:
            self._advance_clock()
        self._turns += 1
        if self._turns > MAX_TURNS:
            raise Spun(f"{MAX_TURNS} turns of the loop at {self._now:.6f} s")
        count = len(ready)
        handle = ready.pop(self._below(count)) if count > 1 else ready.pop()
        if not handle._cancelled:
            handle._run()

    def _advance_clock(self) -> None:
        timers = self._timers
        while timers and timers[0][2]._cancelled:
            heapq.heappop(timers)
        if not timers:
            super()._advance_clock()  # which raises
        if timers[0][0] > self._now:
            self._now = timers[0][0]
            self._turns = 0
        while timers and timers[0][0] <= self._now:
            timer = heapq.heappop(timers)[2]
            if not timer._cancelled:
                self._ready.append(timer)

    def run_forever(self) -> None:
        self._check_closed()
        if self._running:
            raise RuntimeError("this event loop is already running")
        self._running = True
        events._set_running_loop(self)
        try:
            while not self._stopping and (self._ready or self._timers):
                self._step()
        finally:
            self._stopping = False
            self._running = False
            events._set_running_loop(None)
