"""Keeps one call server's hints, which map numbers to devices: a list at each snapshot, and after some events.

`service.domain.extension_hints` says which events ask for a list. A reload of a large dialplan takes a minute, and a
list of 20,000 hints holds a lock of Asterisk's for 0.1 to 0.3 s (measured). So lists are spaced by their duration.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from time import monotonic

from service.ami.client import AmiClient
from service.domain.extension_hints import ExtensionHints
from service.errors import CallServerUnavailable
from service.slices import in_slices

QUIET_TIME = 1.0
"""Seconds between the first event that asks for a list and the list; also the minimum between two lists."""
MAX_INTERVAL = 10.0
"""Maximum seconds between two lists that events ask for. The interval doubles while lists find nothing new."""
LIST_DUTY_FACTOR = 20
"""The interval after a slow list is at least this many times its duration."""
SLICE = 200
"""Numbers handled per turn of the event loop."""


class HintSync:
    """Keeps the hints of one call server. Methods that are not `async` never block.

    `on_changed` is called with numbers whose hints have changed.
    """

    def __init__(self, hints: ExtensionHints, deadline: float, on_changed: Callable[[Set[str]], None]) -> None:
        self._hints = hints
        self._deadline = deadline
        self._on_changed = on_changed
        self._list_due = asyncio.Event()
        self._taking = asyncio.Lock()

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None:
        """Apply an event."""
        if self._hints.apply(number, context, hint, status):
            self._list_due.set()

    def lost(self) -> None:
        """Forget what is not the mapping: the link is down."""
        self._hints.lost()
        self._list_due.clear()

    async def take_list(self, connection: AmiClient) -> bool:
        """Take a list, by the snapshot rule of `service.domain.device_states`. Returns whether a hint has changed.

        Raises CallServerUnavailable.
        """
        async with self._taking:
            self._list_due.clear()
            listed = self._hints.begin_snapshot()
            await connection.list_hints(listed)
            await connection.ping(self._deadline)
            before = self._hints.end_snapshot(listed)
            if listed.reloading:
                self._list_due.set()
            changed = False
            async for numbers in in_slices(self._hints.numbers(before), SLICE):
                if found := self._hints.changed_among(numbers, before):
                    changed = True
                    self._on_changed(found)
            return changed

    async def run(self, connection: AmiClient) -> None:
        """Take lists over one connection until it ends. Raises CallServerUnavailable then."""
        interval, listed_at = QUIET_TIME, float("-inf")
        while True:
            await self._list_due.wait()
            await asyncio.sleep(max(QUIET_TIME, listed_at + interval - monotonic()))
            started_at = monotonic()
            changed = False
            try:
                changed = await self.take_list(connection)
            except CallServerUnavailable:
                if connection.why_ended is not None:
                    raise
                self._list_due.set()
            listed_at = monotonic()
            interval = QUIET_TIME if changed else 2 * interval
            interval = min(max(interval, LIST_DUTY_FACTOR * (listed_at - started_at)), MAX_INTERVAL)
