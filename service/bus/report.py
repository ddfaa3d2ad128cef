"""What a process knows of the bus, for operators: its role, the collectors that it hears, and which one it follows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from service.bus.differences import Differences
from service.bus.follower import Follower
from service.bus.replica import NEVER, Replica
from service.clock import uptime
from service.domain.device_states import Freshness

Role = Literal["collector", "follower"]


@dataclass(frozen=True, slots=True)
class CollectorReport:
    """One collector of a call server, as this process hears it."""

    name: str
    freshness: Freshness
    """Of its link to Asterisk, as it last said."""
    followed: bool
    """Whether its map is what this process shows."""
    fresh: bool
    """Whether its map could be shown."""
    entries: int
    proof_age: float | None
    """Seconds since the moment up to which its map is proved; None if it is not."""
    why: str | None
    """Why its map cannot be shown; None if it could be."""


@dataclass(frozen=True, slots=True)
class FollowerReport:
    """What this process hears of one call server. Counts are since the start."""

    followed: str | None
    """The collector whose map is shown."""
    collectors: tuple[CollectorReport, ...]
    gaps: int
    """Changes that were missing."""
    snapshots: int
    """Snapshots begun."""
    refused: int
    """Messages that could not be read."""
    differing_entries: int
    differing_seconds: float


@dataclass(frozen=True, slots=True)
class Bus:
    """The bus of one process, read whenever somebody asks."""

    role: Role
    connected: Callable[[], bool]
    """Whether messages can arrive."""
    followers: Mapping[str, Callable[[], FollowerReport]] = field(default_factory=dict)
    """By call server; none in a collector."""


def describe_follower(
    follower: Follower, differences: Differences, deadline: float, clock: Callable[[], float] = uptime
) -> FollowerReport:
    """Report what a follower hears now."""
    return FollowerReport(
        followed=follower.shown,
        collectors=tuple(
            _describe(replica, follower.shown, clock(), deadline) for _, replica in sorted(follower.replicas.items())
        ),
        gaps=follower.gaps,
        snapshots=follower.snapshots.begun,
        refused=follower.refused,
        differing_entries=differences.entries,
        differing_seconds=differences.seconds,
    )


def _describe(replica: Replica, shown: str | None, now: float, deadline: float) -> CollectorReport:
    fresh = replica.is_fresh(now, deadline)
    return CollectorReport(
        name=replica.name,
        freshness=replica.freshness,
        followed=replica.name == shown,
        fresh=fresh,
        entries=len(replica),
        proof_age=now - replica.confirmed_at if replica.confirmed_at != NEVER else None,
        why=None if fresh else _why_not_fresh(replica, now),
    )


def _why_not_fresh(replica: Replica, now: float) -> str:
    if replica.echoed_at == NEVER:
        return "it has not answered yet"
    if replica.freshness is not Freshness.LIVE:
        return f"its link to Asterisk is {replica.freshness}"
    if not replica.complete:
        return "its map is being read"
    if replica.confirmed_at == NEVER:
        return "its map is not proved yet"
    return (
        f"it answered {now - replica.echoed_at:.1f} s ago, and its last proof is {now - replica.confirmed_at:.1f} s old"
    )
