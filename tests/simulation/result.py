"""What becomes of a universe, whatever its profile."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.plan import Fault


class Lied(Exception):
    """A check failed."""


@dataclass
class Result:
    """What became of a universe."""

    seed: int
    failure: str | None = None
    faults: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    live: int = 0
    """Readings that were shown as live, each of which was compared with the truth."""
    not_live: int = 0
    counters: Counter[str] = field(default_factory=Counter)
    """Whatever else a profile counts, by the name that the report gives it."""
    seconds: float = 0.0
    """Simulated."""
    right_after: float = 0.0
    """Seconds after the last fault until everything was right."""
    digest: str = ""
    plan: list[Fault] = field(default_factory=list)
    tail: list[str] = field(default_factory=list)
    """The last lines of the journal."""

    def fault(self, kind: str) -> None:
        """Count a fault that begins."""
        self.faults += 1
        self.kinds[kind] += 1
