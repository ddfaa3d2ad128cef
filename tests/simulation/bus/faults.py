"""The faults of a universe with a bus, by kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from tests.simulation.bus import bus_faults, machine_faults
from tests.simulation.link import faults as link_faults
from tests.simulation.plan import Fault

if TYPE_CHECKING:
    from tests.simulation.bus.universe import Universe


def _of_link(kind: str) -> Callable[[Universe, Fault], Awaitable[None]]:
    """A fault of Asterisk itself, which all links see."""
    return lambda universe, fault: link_faults.KINDS[kind](cast(Any, universe), fault)


KINDS: dict[str, Callable[[Universe, Fault], Awaitable[None]]] = {
    "bus latency": bus_faults.latency,
    "bus loss": bus_faults.loss,
    "duplicates": bus_faults.duplicates,
    "overtaking": bus_faults.overtaking,
    "bus partition": bus_faults.bus_partition,
    "missing route": bus_faults.cut,
    "broker paused": bus_faults.paused,
    "broker killed": bus_faults.killed,
    "bus reset": bus_faults.bus_reset,
    "slow consumer": bus_faults.slow_consumer,
    "garbage": bus_faults.garbage,
    "other version": bus_faults.other_version,
    "collector killed": machine_faults.collector_killed,
    "both collectors killed": machine_faults.both_killed,
    "collector started anew": machine_faults.collector_anew,
    "collector stalled": machine_faults.collector_stalled,
    "collector suspended": machine_faults.collector_suspended,
    "follower suspended": machine_faults.follower_suspended,
    "follower started anew": machine_faults.follower_anew,
    "link reset": machine_faults.link_reset,
    "link partition": machine_faults.link_partition,
    "slow list": machine_faults.slow_list,
    **{kind: _of_link(kind) for kind in ("freeze", "restart", "burst", "late events", "dialplan", "new endpoint")},
}
_NEEDS: dict[str, Callable[[Universe], bool]] = {
    "broker paused": lambda universe: universe.broker.running and not universe.broker.paused,
    "broker killed": lambda universe: universe.broker.running,
    "both collectors killed": lambda universe: bool(universe.collectors),
    "collector started anew": lambda universe: 0 < len(universe.collectors) <= MOST_COLLECTORS,
}
MOST_COLLECTORS = 3
_OF_COLLECTORS = {
    "missing route", "garbage", "other version", "collector killed", "collector stalled", "collector suspended",
    "link reset", "link partition", "slow list",
}  # fmt: skip


def can_happen(universe: Universe, fault: Fault) -> bool:
    """Whether the fault has an effect now; if not, it is not counted."""
    if fault.kind in _OF_COLLECTORS and not universe.collectors:
        return False
    if (needs := _NEEDS.get(fault.kind)) is not None:
        return needs(universe)
    return link_faults.can_happen(cast(Any, universe), fault) if fault.kind in link_faults.KINDS else True
