"""What goes wrong between the service and PostgreSQL."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from tests.simulation.database.cluster import LATENCY
from tests.simulation.database.triggers import failure
from tests.simulation.database.wire import Wire
from tests.simulation.plan import Fault

if TYPE_CHECKING:
    from tests.simulation.database.universe import Universe


async def _latency(universe: Universe, fault: Fault) -> None:
    universe.cluster.latency = late = 0.6 * fault.amount**2
    await asyncio.sleep(fault.seconds)
    universe.cluster.latency = LATENCY
    await asyncio.sleep(late)  # until the last of what was sent has arrived


async def _reset(universe: Universe, fault: Fault) -> None:
    """All connections, the listener's, or the others."""
    universe.cluster.reset(listeners=fault.amount < 0.7, others=fault.amount > 0.3)


async def _half_open(universe: Universe, fault: Fault) -> None:
    """A router forgets them: neither side is told."""
    universe.cluster.lose(listeners=fault.amount < 0.7, others=fault.amount > 0.3)


async def _partition(universe: Universe, fault: Fault) -> None:
    up, down = ((True, True), (False, True), (True, False))[int(fault.amount * 3)]
    universe.cluster.network.hold(up=up, down=down)
    universe.burst(5)
    await asyncio.sleep(fault.seconds)
    universe.cluster.network.hold(up=False, down=False)


async def _freeze(universe: Universe, fault: Fault) -> None:
    primary = universe.cluster.primary
    primary.freeze(True)
    await asyncio.sleep(fault.seconds)
    if primary.running and not universe.failing_over:
        primary.freeze(False)


async def _restart(universe: Universe, fault: Fault) -> None:
    """Politely or as after a crash; it is starting up for a while."""
    primary = universe.cluster.primary
    if universe.failing_over or not primary.running:
        return
    primary.stop(politely=fault.amount < 0.5)
    await asyncio.sleep(fault.seconds)
    if universe.cluster.primary is primary:
        primary.start()
        primary.starting = True
        await asyncio.sleep(fault.amount)
        primary.starting = False


async def _failover(universe: Universe, fault: Fault) -> None:
    """The primary ends, or freezes first; later the standby takes over, perhaps without the last commits.

    One that froze may go on for a moment once its clients have the new one, before it is fenced.
    """
    cluster = universe.cluster
    former = cluster.primary
    if universe.failing_over or not former.running:
        return
    universe.failing_over = True
    if fault.amount < 0.4:
        former.freeze(True)
        await asyncio.sleep(min(fault.seconds, 0.5))
    else:
        former.stop(politely=fault.amount < 0.7)
        await asyncio.sleep(fault.seconds)
    lost = int(4 * universe.chance.random()) if fault.amount > 0.5 else 0
    cluster.promote(lost=lost)
    if former.running:
        for session in list(former.sessions.values()):
            if session.channels:
                session.wire.reset()
        for _ in range(30):
            await asyncio.sleep(0.1)
            if cluster.listeners:
                cluster.isolate(former)
                await asyncio.sleep(2.0)
                break
        former.stop(politely=False)
    former.isolated, former.on_commit = False, cluster.primary.on_commit
    await asyncio.sleep(1.0)
    former.in_recovery, former.starting, former.read_only = True, False, cluster.primary.read_only
    former.start()  # it follows the new primary
    universe.failing_over = False


async def _too_many(universe: Universe, fault: Fault) -> None:
    """Others take the connections that are free."""
    for server in universe.cluster.servers.values():
        server.max_connections = len(server.sessions)
    if fault.amount < 0.5:
        universe.cluster.reset()
    await asyncio.sleep(fault.seconds)
    for server in universe.cluster.servers.values():
        server.max_connections = 100


async def _read_only(universe: Universe, fault: Fault) -> None:
    """`default_transaction_read_only` is set, and open sessions keep what they had."""
    for server in universe.cluster.servers.values():
        server.read_only = True
    if fault.amount < 0.5:
        universe.cluster.reset()
    await asyncio.sleep(fault.seconds)
    for server in universe.cluster.servers.values():
        server.read_only = False


async def _queue_full(universe: Universe, fault: Fault) -> None:
    """No transaction that notifies commits, a heartbeat's included."""
    primary = universe.cluster.primary
    primary.queue_full = True
    await asyncio.sleep(fault.seconds)
    primary.queue_full = False


async def _deaf(universe: Universe, fault: Fault) -> None:
    """Something between them swallows notifications: from now on, for good."""
    for session in universe.cluster.listeners:
        session.deaf = True
    universe.burst(5)


async def _slow(universe: Universe, fault: Fault) -> None:
    primary = universe.cluster.primary
    primary.slow = slow = 4.0 * fault.amount**2
    await asyncio.sleep(fault.seconds)
    primary.slow = 0.0
    await asyncio.sleep(slow)  # until the last of them has ended


async def _timeouts(universe: Universe, fault: Fault) -> None:
    """Statements are ended by the server: `statement_timeout`."""
    primary = universe.cluster.primary
    primary.slow, primary.statement_timeout = 1.0, 0.3 * fault.amount
    await asyncio.sleep(fault.seconds)
    primary.slow = primary.statement_timeout = 0.0
    await asyncio.sleep(1.0)


async def _late_hints(universe: Universe, fault: Fault) -> None:
    """Other sessions are notified late, and all of what has queued up at once."""
    primary = universe.cluster.primary
    primary.late = fault.amount
    universe.burst(5)
    await asyncio.sleep(fault.seconds)
    primary.late = 0.0


async def _lock(universe: Universe, fault: Fault) -> None:
    """Somebody keeps a transaction open that has written."""
    server = universe.cluster.primary
    session = server.open()
    session.wire = Wire(universe.cluster.network, session.receive, lambda _: None)
    if server.running and not server.busy:
        server.lock(session)
        await asyncio.sleep(fault.seconds)
    server.forget(session)


async def _kill_sessions(universe: Universe, fault: Fault) -> None:
    """An operator ends sessions."""
    for session in list(universe.cluster.primary.sessions.values()):
        if universe.chance.random() < 0.5:
            session.end(failure("57P01", "terminating connection due to administrator command"))


async def _burst(universe: Universe, fault: Fault) -> None:
    universe.burst(int(5 + 40 * fault.amount))


async def _everything(universe: Universe, fault: Fault) -> None:
    """Many rows at once, or hints of a newer release: everything is read again."""
    for _ in range(1 + int(3 * fault.amount)):
        universe.changes.everything(garbage=fault.amount < 0.4)
        universe.burst(3)
        await asyncio.sleep(fault.seconds / 4)


async def _wall_jump(universe: Universe, fault: Fault) -> None:
    universe.world.wall_offset += (fault.amount - 0.5) * 172_800


async def _suspend(universe: Universe, fault: Fault) -> None:
    """The connector's machine sleeps: PostgreSQL goes on, and what it sends arrives after the wake-up."""
    network = universe.cluster.network
    network.hold(up=True, down=True)
    universe.world.suspended += 3 * fault.seconds
    universe.burst(5)
    universe.check_all()
    await asyncio.sleep(0.01 + 0.2 * fault.amount)
    network.hold(up=False, down=False)


KINDS: dict[str, Callable[[Universe, Fault], Awaitable[None]]] = {
    "latency": _latency,
    "reset": _reset,
    "half-open": _half_open,
    "partition": _partition,
    "freeze": _freeze,
    "restart": _restart,
    "failover": _failover,
    "too many connections": _too_many,
    "read-only": _read_only,
    "full NOTIFY queue": _queue_full,
    "lost NOTIFY": _deaf,
    "slow statements": _slow,
    "statement timeouts": _timeouts,
    "late NOTIFY": _late_hints,
    "held lock": _lock,
    "ended sessions": _kill_sessions,
    "burst": _burst,
    "full reads": _everything,
    "wall clock": _wall_jump,
    "suspend": _suspend,
}
