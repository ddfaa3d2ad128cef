"""Finds the fewest faults with which a universe still fails, and says how to replay it."""

from __future__ import annotations

from collections.abc import Callable

from tests.simulation import profiles

Fails = Callable[[frozenset[int]], bool]


def shrink(profile: str, seed: int, keep: frozenset[int] | None = None) -> frozenset[int]:
    """The numbers of faults without any of which the universe of a seed passes. Raises ValueError if it passes."""
    first = profiles.run(profile, seed, keep)
    if first.failure is None:
        raise ValueError(f"the universe of seed {seed} does not fail")
    return fewest(
        frozenset(fault.number for fault in first.plan),
        lambda numbers: profiles.run(profile, seed, numbers).failure is not None,
    )


def fewest(numbers: frozenset[int], fails: Fails) -> frozenset[int]:
    """Leave out ever smaller parts as long as it still fails."""
    size = len(numbers)
    while size >= 1:
        ordered = sorted(numbers)
        for start in range(0, len(ordered), size):
            fewer = numbers - set(ordered[start : start + size])
            if len(fewer) < len(numbers) and fails(fewer):
                numbers = fewer
        size //= 2
    return numbers


def how_to_replay(profile: str, seed: int, keep: frozenset[int] | None = None) -> str:
    """The command that runs the universe again, event by event."""
    kept = "" if keep is None else f" --keep {','.join(map(str, sorted(keep)))}"
    return f"make simulate PROFILE={profile} ARGS='replay {seed}{kept}'"
