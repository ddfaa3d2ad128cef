"""Measures how long the event loop is held: how late it runs a timer."""

from __future__ import annotations

import asyncio

from service.domain.histogram import Histogram

INTERVAL = 0.25
"""Seconds between two measurements."""
BOUNDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 2.0)


class LoopWatch:
    """`run` never returns. A hold is noticed if a timer falls due in it: of holds of 25 ms one in ten."""

    def __init__(self) -> None:
        self.lag = Histogram(BOUNDS)

    async def run(self) -> None:
        """Measure until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + INTERVAL
            await asyncio.sleep(INTERVAL)
            self.lag.observe(max(0.0, loop.time() - due))
