"""The faults between the link and its Asterisk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.simulation.accounts import SECRET
from tests.simulation.plan import Fault
from tests.simulation.server import FAST

if TYPE_CHECKING:
    from tests.simulation.link.universe import Universe


async def _latency(universe: Universe, fault: Fault) -> None:
    high = 0.6 * fault.amount**2
    universe.world.set_latency("connector", "asterisk", 0, high)
    await asyncio.sleep(fault.seconds)
    universe.world.set_latency("connector", "asterisk", 0, 0.001)


async def _reset(universe: Universe, fault: Fault) -> None:
    universe.server.cut(silently=False)


async def _half_open(universe: Universe, fault: Fault) -> None:
    """A router forgets the connection: neither side is told."""
    universe.server.cut(silently=True)


async def _partition(universe: Universe, fault: Fault) -> None:
    """Both ways, or one of them. What was sent arrives when the partition ends."""
    reads, writes = ((False, False), (False, True), (True, False))[int(fault.amount * 3)]
    universe.server.hold(reads=reads, writes=writes)
    await asyncio.sleep(fault.seconds)
    universe.server.hold(reads=True, writes=True)


async def _freeze(universe: Universe, fault: Fault) -> None:
    """Asterisk's process stops, and goes on."""
    universe.server.freeze(True)
    await asyncio.sleep(fault.seconds)
    universe.server.freeze(False)


async def _restart(universe: Universe, fault: Fault) -> None:
    """Asterisk ends and starts again; calls are lost, and registrations half of the time.

    With an account `sync` it may have lost track of endpoints whose contacts it remembers: nobody else mends that.
    """
    universe.server.stop(silently=fault.amount < 0.3)
    await asyncio.sleep(fault.seconds)
    loses = 0.3 if universe.has_sync and 0.2 < fault.amount < 0.5 else 0.0
    await universe.server.boot(seconds=5 * fault.amount, remembers_contacts=fault.amount < 0.5, loses=loses)


async def _refuse(universe: Universe, fault: Fault) -> None:
    """New connections are refused, and the present one ends."""
    universe.server.refuse()
    universe.server.cut(silently=False)
    await asyncio.sleep(fault.seconds)
    if universe.server.asterisk.running:
        await universe.server.listen()


async def _slow_list(universe: Universe, fault: Fault) -> None:
    """Lists take seconds, and changes happen meanwhile."""
    universe.server.items_per_turn, universe.server.list_pace = 1, 0.2 * fault.amount
    universe.link._request_snapshot()
    universe.changes.burst(20)
    await asyncio.sleep(fault.seconds)
    universe.server.items_per_turn, universe.server.list_pace = 50, FAST


async def _burst(universe: Universe, fault: Fault) -> None:
    universe.changes.burst(int(20 + 400 * fault.amount))


async def _late_events(universe: Universe, fault: Fault) -> None:
    """Asterisk takes milliseconds from a change to its event; its lists are ahead."""
    universe.server.late = universe.LATE * fault.amount
    universe.changes.burst(20)
    await asyncio.sleep(fault.seconds)
    universe.server.late = 0.0


async def _small_packets(universe: Universe, fault: Fault) -> None:
    universe.server.chunk = int(1 + 60 * fault.amount)
    universe.changes.burst(10)
    await asyncio.sleep(fault.seconds)
    universe.server.chunk = 1 << 16


async def _wall_jump(universe: Universe, fault: Fault) -> None:
    """An operator sets the clock, by up to a day."""
    universe.world.wall_offset += (fault.amount - 0.5) * 172_800


async def _suspend(universe: Universe, fault: Fault) -> None:
    """The connector's machine is suspended: Asterisk goes on, and what it sends arrives after the wake-up."""
    universe.server.hold(reads=False, writes=False)
    universe.world.suspended += fault.seconds
    universe.changes.burst(10)
    universe.check_all()
    await asyncio.sleep(0.01 + 0.2 * fault.amount)
    universe.server.hold(reads=True, writes=True)


async def _dialplan(universe: Universe, fault: Fault) -> None:
    """A reload of the dialplan, which takes a while."""
    same = universe.server.asterisk.hints if fault.amount < 0.5 else None
    universe.server.asterisk.begin_reload(universe.changes.other_hints(same))
    await asyncio.sleep(fault.amount)
    universe.server.asterisk.end_reload()


async def _new_endpoint(universe: Universe, fault: Fault) -> None:
    """An endpoint is made while Asterisk runs, which Asterisk does not track; its phone may register."""
    name = universe.new_endpoint()
    await asyncio.sleep(fault.seconds)
    if fault.amount < 0.7 and universe.server.can_change:
        universe.server.asterisk.register(name)


async def _lost_network(universe: Universe, fault: Fault) -> None:
    """A phone is out of reach for a while."""
    name = universe.changes.tracked_endpoint()
    universe.server.asterisk.set_answering(name, False)
    await asyncio.sleep(fault.seconds)
    if universe.server.can_change and universe.server.asterisk.endpoints[name].tracked:
        universe.server.asterisk.set_answering(name, True)


async def _secret(universe: Universe, fault: Fault) -> None:
    """The secret of an account is another one for a while. That of `monitor` rarely: a refusal blinds for 30 s."""
    account = "monitor" if fault.amount < 0.02 else "presence" if fault.amount < 0.6 else "sync"
    universe.server.secrets[account] = "another-secret"
    universe.server.cut(silently=False, account=account)
    await asyncio.sleep(fault.seconds)
    universe.server.secrets[account] = SECRET


KINDS: dict[str, Callable[[Universe, Fault], Awaitable[None]]] = {
    "latency": _latency,
    "reset": _reset,
    "half-open": _half_open,
    "partition": _partition,
    "freeze": _freeze,
    "restart": _restart,
    "refuse": _refuse,
    "slow list": _slow_list,
    "burst": _burst,
    "late events": _late_events,
    "small packets": _small_packets,
    "wall clock": _wall_jump,
    "suspend": _suspend,
    "dialplan": _dialplan,
    "new endpoint": _new_endpoint,
    "lost network": _lost_network,
    "secret": _secret,
}

_NEEDS: dict[str, Callable[[Universe], bool]] = {
    "restart": lambda universe: universe.server.asterisk.running,
    "dialplan": lambda universe: universe.server.asterisk.coming_hints is None,
    "burst": lambda universe: universe.server.can_change,
    "lost network": lambda universe: universe.server.can_change,
}


def can_happen(universe: Universe, fault: Fault) -> bool:
    """Whether the fault has an effect now; if not, it is not counted."""
    needs = _NEEDS.get(fault.kind)
    return needs is None or needs(universe)
