"""Faults of the profile `whole`: those of the web profile, and those of the database profile by names of their own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from tests.simulation.database.faults import KINDS as DATABASE_KINDS
from tests.simulation.plan import Fault
from tests.simulation.web.faults import KINDS as OF_THE_WEB

if TYPE_CHECKING:
    from tests.simulation.whole.universe import Universe

Kind = Callable[["Universe", Fault], Awaitable[None]]
OF_POSTGRESQL = "PostgreSQL: "
"""How the kinds of the database profile begin here."""
OF_THE_MACHINE = ("wall clock", "suspend")
"""Faults that both have: they happen to the machine of the service, once."""


async def _suspend(universe: Universe, fault: Fault) -> None:
    """What PostgreSQL sends arrives after the wake-up, as what Asterisk sends."""
    network = universe.postgresql.cluster.network
    network.hold(up=True, down=True)
    universe.postgresql.burst(3)
    await cast(Any, OF_THE_WEB["suspend"])(universe, fault)
    network.hold(up=False, down=False)


async def _suspend_in_trouble(universe: Universe, fault: Fault) -> None:
    await universe.postgresql.calm.disturbed_by(_suspend(universe, fault))


def _of_postgresql(kind: str) -> Kind:
    async def one(universe: Universe, fault: Fault) -> None:
        await universe.postgresql.break_once(kind, fault)

    return one


async def _take_away(universe: Universe, fault: Fault) -> None:
    """An agent loses the extension; another fault or call may give one again."""
    universe.people.take_away(universe.user(fault))


KINDS: dict[str, Kind] = {
    **{kind: cast(Any, happens) for kind, happens in OF_THE_WEB.items() if kind != "database away"},
    "suspend": _suspend_in_trouble,
    "taken extension": _take_away,
    **{OF_POSTGRESQL + kind: _of_postgresql(kind) for kind in DATABASE_KINDS if kind not in OF_THE_MACHINE},
}
