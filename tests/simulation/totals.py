"""What a range of universes came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from tests.simulation.result import Result


@dataclass
class Totals:
    """Sums over universes of one profile."""

    universes: int = 0
    faults: int = 0
    live: int = 0
    not_live: int = 0
    simulated: float = 0.0
    right_after: float = 0.0
    """The longest time after the last fault until everything was right."""
    kinds: Counter[str] = field(default_factory=Counter)
    counters: Counter[str] = field(default_factory=Counter)
    failed: dict[str, str] = field(default_factory=dict)
    done: list[int] = field(default_factory=list)

    @classmethod
    def loaded(cls, saved: dict[str, Any]) -> Totals:
        """Totals that were written as JSON."""
        totals = cls(**saved)
        totals.kinds, totals.counters = Counter(totals.kinds), Counter(totals.counters)
        return totals

    def add(self, result: Result) -> None:
        self.universes += 1
        self.faults += result.faults
        self.live += result.live
        self.not_live += result.not_live
        self.simulated += result.seconds
        self.right_after = max(self.right_after, result.right_after)
        self.kinds.update(result.kinds)
        self.counters.update(result.counters)
        self.done.append(result.seed)
        if result.failure is not None:
            self.failed[str(result.seed)] = result.failure

    def line(self) -> str:
        counts = "".join(f"{count} {name}, " for name, count in sorted(self.counters.items()))
        return (
            f"{self.universes} universes, {self.faults} faults, {self.live} live readings, "
            f"{self.not_live} not live, {counts}{len(self.failed)} failed"
        )
