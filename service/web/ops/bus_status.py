"""The bus in `/readyz` and `/status`: the role of this process, the collectors of each call server, and why."""

from __future__ import annotations

import msgspec
from aiohttp import web
from msgspec import UNSET, UnsetType

from service.bus.report import CollectorReport, FollowerReport, Role
from service.domain.device_states import Freshness
from service.web.app_keys import BUS


class CollectorStatus(msgspec.Struct, frozen=True, rename="camel"):
    """A collector, as this process hears it."""

    name: str
    freshness: Freshness
    """State of its link to Asterisk, as it last said."""
    followed: bool
    """Whether its states are what this process answers."""
    fresh: bool
    """Whether they could be."""
    entries: int
    proof_age: float | None
    """Seconds since the moment up to which its states are proved; null if they are not."""
    why: str | None
    """Why it cannot be followed; null if it can."""


class FollowedCallServer(msgspec.Struct, frozen=True, rename="camel"):
    """What a follower hears of a call server. Counts are since its start."""

    followed: str | None
    """Name of the collector whose states are answered; null if none is, and every state is unknown."""
    collectors: list[CollectorStatus]
    gaps: int
    """Changes that did not arrive."""
    snapshots: int
    refused: int
    """Messages that could not be read."""
    differing_entries: int
    """Entries in which the states of two collectors have differed for seconds."""
    differing_seconds: float


class BusStatus(msgspec.Struct, frozen=True, rename="camel"):
    """The bus."""

    role: Role
    connected: bool
    call_servers: dict[str, FollowedCallServer]
    """By name. Empty for a collector, which has links of its own."""


def bus_status(app: web.Application) -> BusStatus | UnsetType:
    """The status of the bus; unset without one."""
    if (bus := app.get(BUS)) is None:
        return UNSET
    servers = {name: _followed(report()) for name, report in bus.followers.items()}
    return BusStatus(bus.role, bus.connected(), servers)


def _followed(report: FollowerReport) -> FollowedCallServer:
    return FollowedCallServer(
        followed=report.followed,
        collectors=[_collector(each) for each in report.collectors],
        gaps=report.gaps,
        snapshots=report.snapshots,
        refused=report.refused,
        differing_entries=report.differing_entries,
        differing_seconds=round(report.differing_seconds, 1),
    )


def _collector(report: CollectorReport) -> CollectorStatus:
    age = round(report.proof_age, 3) if report.proof_age is not None else None
    return CollectorStatus(
        report.name, report.freshness, report.followed, report.fresh, report.entries, age, report.why
    )
