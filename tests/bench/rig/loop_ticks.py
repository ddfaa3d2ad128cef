"""How long an event loop is held, seen from within."""

from __future__ import annotations

import asyncio
import time

TICK = 0.001


class Ticks:
    """Each turn of the loop that takes long makes the CPU time of its thread jump between two ticks."""

    def __init__(self) -> None:
        self.held = 0.0
        """The longest turn so far, in seconds."""
        self._turned = 0.0

    def begin(self) -> None:
        """Watch the running loop until it ends."""
        event_loop = asyncio.get_running_loop()

        def turn() -> None:
            now = time.thread_time()
            self.held, self._turned = max(self.held, now - self._turned), now
            event_loop.call_later(TICK, turn)

        self._turned = time.thread_time()
        turn()
