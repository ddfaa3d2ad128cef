"""Faults by seed: when which one begins, how long it lasts, and how strong it is."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One fault of a plan. Its number stays the same when others are left out."""

    number: int
    at: float
    """Seconds since the start of the universe."""
    kind: str
    seconds: float
    amount: float
    """From 0 to 1."""

    def __str__(self) -> str:
        return f"{self.number}: {self.kind} at {self.at:.3f} s for {self.seconds:.3f} s, {self.amount:.3f}"


def plan(seed: int, seconds: float, every: float, kinds: Iterable[str]) -> list[Fault]:
    """The faults of a universe of so many seconds, one `every` so many on average."""
    chance = random.Random(f"{seed}:faults")
    names = list(kinds)
    faults: list[Fault] = []
    at = chance.uniform(0, 2 * every)
    while at < seconds:
        lasts = chance.choice((0.05, 0.5, 2.0, 5.0)) * chance.uniform(0.2, 1.5)
        faults.append(Fault(len(faults), at, chance.choice(names), lasts, chance.random()))
        at += chance.uniform(0, 2 * every)
    return faults
