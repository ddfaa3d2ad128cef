"""Faults of the web profile: those of the link, and those of clients, their network, the directory and the process."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

from service.domain.models import Role
from tests.simulation.link.faults import KINDS as LINK_KINDS
from tests.simulation.plan import Fault
from tests.simulation.web.rude import RUDE

if TYPE_CHECKING:
    from tests.simulation.web.universe import Universe

OF_THE_LINK = (
    "latency", "reset", "half-open", "partition", "freeze", "restart", "refuse", "slow list", "burst", "late events",
    "small packets", "wall clock", "lost network",
)  # fmt: skip
CROWD = 30


async def _suspend(universe: Universe, fault: Fault) -> None:
    """The connector's machine is suspended."""
    universe.suspend(fault.seconds)
    await cast(Any, LINK_KINDS["suspend"])(universe, fault)


async def _slow_network(universe: Universe, fault: Fault) -> None:
    host = universe.networks.of(fault)
    universe.networks.disturb(host, fault.seconds)
    universe.world.set_latency("connector", host, 0, 0.5 * fault.amount)
    await asyncio.sleep(fault.seconds)
    universe.world.set_latency("connector", host, 0, 0.001)
    universe.networks.disturb(host)


async def _no_network(universe: Universe, fault: Fault) -> None:
    """What is sent either way arrives later: buffers fill meanwhile."""
    host = universe.networks.of(fault)
    universe.networks.disturb(host, fault.seconds)
    universe.networks.cut(host, True)
    await asyncio.sleep(fault.seconds)
    universe.networks.cut(host, False)
    universe.networks.disturb(host)


async def _lost_connections(universe: Universe, fault: Fault) -> None:
    """The connections of a network are reset, at one end or at both."""
    host = universe.networks.of(fault)
    universe.networks.disturb(host)
    for address, client in list(universe.judge.clients.items()):
        if address[0] == host:
            client.reset()


async def _pieces(universe: Universe, fault: Fault) -> None:
    """Requests arrive in small packets."""
    universe.pieces = 2 + int(40 * fault.amount)
    await asyncio.sleep(fault.seconds)
    universe.pieces = 1


async def _revocation(universe: Universe, fault: Fault) -> None:
    grants = [grant for grant in universe.people.tokens.values() if not grant.revoked]
    universe.people.revoke(grants[int(fault.amount * len(grants))])


async def _hand_over(universe: Universe, fault: Fault) -> None:
    universe.people.hand_over()


async def _new_secret(universe: Universe, fault: Fault) -> None:
    universe.people.new_secret()


async def _inactive(universe: Universe, fault: Fault) -> None:
    user_id = universe.user(fault)
    universe.people.set_active(user_id, False)
    await asyncio.sleep(fault.seconds)
    universe.people.set_active(user_id, True)


async def _role(universe: Universe, fault: Fault) -> None:
    user_id = universe.user(fault)
    universe.people.set_role(user_id, Role.CLIENT)
    await asyncio.sleep(fault.seconds)
    universe.people.set_role(user_id, Role.AGENT)


async def _database_away(universe: Universe, fault: Fault) -> None:
    stand = cast(Any, universe.postgresql)
    stand.set_away(True)
    await asyncio.sleep(2 * fault.seconds)
    stand.set_away(False)


async def _drain(universe: Universe, fault: Fault) -> None:
    """SIGTERM, and another process after a moment."""
    await universe.replace_service(fault.amount, gracefully=True)


async def _kill(universe: Universe, fault: Fault) -> None:
    await universe.replace_service(fault.amount, gracefully=False)


async def _crowd(universe: Universe, fault: Fault) -> None:
    """More connections than the service takes, most of them idle, and requests that are held."""
    await universe.crowd(int(1 + CROWD * fault.amount), fault)


def _rude(name: str) -> Callable[[Universe, Fault], Awaitable[None]]:
    async def one(universe: Universe, fault: Fault) -> None:
        await universe.be_rude(name, fault)

    return one


KINDS: dict[str, Callable[[Universe, Fault], Awaitable[None]]] = {
    **{kind: cast(Any, LINK_KINDS[kind]) for kind in OF_THE_LINK},
    "suspend": _suspend,
    "slow network of clients": _slow_network,
    "no network of clients": _no_network,
    "lost connections of clients": _lost_connections,
    "requests in pieces": _pieces,
    "revocation": _revocation,
    "hand-over": _hand_over,
    "new SIP password": _new_secret,
    "inactive person": _inactive,
    "other role": _role,
    "database away": _database_away,
    "drain": _drain,
    "kill": _kill,
    "crowd": _crowd,
    **{name: _rude(name) for name in RUDE},
}
