"""Compares Asterisk's own status of each hint with its devices' states: a lasting difference is a fault of one of us.

A difference counts if it is the same at two comparisons, several seconds apart, the second with a new list of hints: a
state, and the status that follows from it, have an event each.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable

import structlog

from service.ami.client import AmiClient
from service.ami.hint_sync import HintSync
from service.domain.device_states import DeviceStates
from service.domain.extension_hints import ExtensionHints, HintKey
from service.domain.hint_differences import HintDifference, find_difference
from service.errors import CallServerUnavailable
from service.slices import in_slices

log = structlog.get_logger(__name__)

INTERVAL = 60.0
"""Seconds between two comparisons."""
SETTLING_TIME = 5.0
"""Seconds until a difference is looked at again."""
SLICE = 500
"""Hints compared per turn of the event loop."""


class HintComparison:
    """The differences of one call server."""

    def __init__(self, call_server: str, hints: ExtensionHints, states: DeviceStates, sync: HintSync) -> None:
        self._hints = hints
        self._states = states
        self._sync = sync
        self._log = log.bind(call_server=call_server)
        self._snapshot_taken = asyncio.Event()
        self.differences = 0
        """Hints whose difference lasted, as of the last comparison."""

    def on_snapshot(self) -> None:
        """Compare now: a snapshot was taken."""
        self._snapshot_taken.set()

    def lost(self) -> None:
        """Forget the differences: the link is down."""
        self.differences = 0
        self._snapshot_taken.clear()

    async def run(self, connection: AmiClient) -> None:
        """Compare over one connection until it ends. Raises CallServerUnavailable then."""
        await self._snapshot_taken.wait()
        while True:
            self._snapshot_taken.clear()
            try:
                await self._compare(connection)
            except CallServerUnavailable:
                if connection.why_ended is not None:
                    raise
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL):
                    await self._snapshot_taken.wait()

    async def _compare(self, connection: AmiClient) -> None:
        suspected = await self._find(key for key, _ in self._hints.items())
        if suspected:
            await asyncio.sleep(SETTLING_TIME)
            await self._sync.take_list(connection)
            suspected &= await self._find([difference.key for difference in suspected])
        if suspected and not self.differences:
            first = min(suspected, key=lambda difference: difference.key)
            number, context = first.key
            self._log.warning(
                "hint_differs",
                hints=len(suspected),
                number=number,
                context=context,
                status=first.status,
                expected=first.expected,
                states=[state.name for state in first.states],
            )
        self.differences = len(suspected)

    async def _find(self, keys: Iterable[HintKey]) -> set[HintDifference]:
        found: set[HintDifference] = set()
        async for part in in_slices(keys, SLICE):
            if not self._states.current:
                return set()
            for key in part:
                text = self._hints.text(key)
                if text is not None and (
                    difference := find_difference(key, text, self._hints.status(key), self._states)
                ):
                    found.add(difference)
        return found
