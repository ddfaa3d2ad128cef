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

    def add(self, result: Result) -> None:
        failed = {} if result.failure is None else {str(result.seed): result.failure}
        self.include(
            Totals(
                1, result.faults, result.live, result.not_live, result.seconds, result.right_after, result.kinds,
                result.counters, failed, [result.seed],
            )
        )  # fmt: skip

    def include(self, other: Totals) -> None:
        """Add the sums of other universes."""
        self.universes += other.universes
        self.faults += other.faults
        self.live += other.live
        self.not_live += other.not_live
        self.simulated += other.simulated
        self.right_after = max(self.right_after, other.right_after)
        self.kinds.update(other.kinds)
        self.counters.update(other.counters)
        self.failed.update(other.failed)
        self.done += other.done

    def line(self) -> str:
        counts = "".join(f"{count} {name}, " for name, count in sorted(self.counters.items()))
        return (
            f"{self.universes} universes, {self.faults} faults, {self.live} live readings, "
            f"{self.not_live} not live, {counts}{len(self.failed)} failed"
        )


@dataclass
class Version:
    """What one version of the sources came to."""

    source: str
    """A digest of the sources that decide what a seed does."""
    commit: str
    until: str
    """When the last universe of it ended."""
    totals: Totals

    def saved(self) -> dict[str, Any]:
        """As JSON."""
        return {**vars(self), "totals": vars(self.totals)}

    @classmethod
    def loaded(cls, saved: dict[str, Any]) -> Version:
        """What `saved` returned, through JSON."""
        totals = Totals(**saved["totals"])
        totals.kinds, totals.counters = Counter(totals.kinds), Counter(totals.counters)
        return cls(**{**saved, "totals": totals})
