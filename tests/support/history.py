"""What the states of an Asterisk were, kept by whoever changed them, against what a link told of them.

Every answer marked live must be a state that Asterisk had within `deadline` before it; a device that nobody changed for
a second must have been told as it was.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from tests.support.ami import Ami

RESTED = 1.0


@dataclass
class Span:
    """A device had this state at most from `begin` to `end`, and surely from `settled` on."""

    state: str
    begin: float
    settled: float = float("inf")
    end: float = float("inf")


@dataclass
class History:
    """The states of custom devices over time, and the live answers about them that were not judged yet."""

    deadline: float
    judged: int = 0
    _spans: dict[str, list[Span]] = field(default_factory=dict)
    _answers: list[tuple[str, str, float]] = field(default_factory=list)

    async def set(self, ami: Ami, changes: Iterable[tuple[str, str]]) -> None:
        """Change devices one after the other. Raises OSError and the like when Asterisk goes meanwhile."""
        for device, state in changes:
            spans = self._spans.setdefault(device, [])
            spans.append(Span(state, time.monotonic()))
            await ami.set_states([(device, state)])
            spans[-1].settled = now = time.monotonic()
            for span in spans[-2:-1]:
                span.end = now

    async def booted(self, ami: Ami, died: float) -> None:
        """It is another Asterisk since then, with what its predecessor had saved, which may be older than its last."""
        for device, spans in self._spans.items():
            for span in spans:
                span.end = min(span.end, died)
            spans.append(Span(await ami.value(f"DEVICE_STATE({device})"), died, time.monotonic()))

    def told(self, device: str, state: str) -> None:
        """Somebody was told this as live, just now."""
        self._answers.append((device, state, time.monotonic()))

    def judge(self) -> None:
        """Judge all answers so far. The history must be known up to now; what is too old for later ones is dropped."""
        for device, told, at in self._answers:
            spans = [span for span in self._spans[device] if span.begin <= at]
            had = {span.state for span in spans if span.end >= at - self.deadline}
            assert told in had, f"{device} was told {told}, but within {self.deadline:g} s it was only {had}"
            if spans[-1].settled <= at - RESTED:
                assert told == spans[-1].state, f"{device} was {spans[-1].state} for a second, and told {told}"
        self.judged += len(self._answers)
        self._answers.clear()
        now = time.monotonic()
        for spans in self._spans.values():
            spans[:-1] = [span for span in spans[:-1] if span.end >= now - 2 * self.deadline]
