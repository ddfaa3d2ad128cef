"""The faults of collectors, followers, and one collector's link."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tests.simulation.plan import Fault
from tests.simulation.server import FAST

if TYPE_CHECKING:
    from tests.simulation.bus.universe import Universe


async def collector_killed(universe: Universe, fault: Fault) -> None:
    """A collector vanishes, and another is started, after a while or at once."""
    machine = universe.broker.chance.choice(universe.collectors)
    universe.kill(machine, told=fault.amount < 0.5)
    await asyncio.sleep(fault.seconds)
    universe.start_collector()


async def both_killed(universe: Universe, fault: Fault) -> None:
    killed = list(universe.collectors)
    for machine in killed:
        universe.kill(machine, told=fault.amount < 0.5)
    await asyncio.sleep(fault.seconds)
    for _ in killed:
        universe.start_collector()


async def collector_anew(universe: Universe, fault: Fault) -> None:
    """A new collector is there before the old one ends."""
    machine = universe.broker.chance.choice(universe.collectors)
    universe.start_collector()
    await asyncio.sleep(fault.seconds)
    if machine in universe.collectors:
        universe.kill(machine, told=fault.amount < 0.5)
    else:
        universe.retire()


async def collector_stalled(universe: Universe, fault: Fault) -> None:
    """The process is stopped: nothing goes in or out, and all of it does once it goes on. Its clock has run on."""
    machine = universe.broker.chance.choice(universe.collectors)
    sessions = universe.sessions_of(machine)
    for session in sessions:
        session.hold(reads=False, writes=False)
    for leg in machine.end.legs:
        leg.hold(True)
    await asyncio.sleep(fault.seconds)
    if fault.amount < 0.5:
        machine.clock.pass_over(5.0 * fault.amount)
    for session in sessions:
        session.hold(reads=True, writes=True)
    for leg in machine.end.legs:
        leg.hold(False)
    machine.end.trouble()


async def collector_suspended(universe: Universe, fault: Fault) -> None:
    """The machine was asleep, which its clock tells when it wakes up."""
    machine = universe.broker.chance.choice(universe.collectors)
    machine.clock.pass_over(fault.seconds)
    machine.end.trouble()


async def follower_suspended(universe: Universe, fault: Fault) -> None:
    machine = universe.broker.chance.choice(universe.followers)
    for leg in machine.end.legs:
        leg.hold(True)
    universe.changes.burst(10)
    machine.suspend(fault.seconds)
    universe.check_all()
    await asyncio.sleep(0.3 * fault.amount)
    for leg in machine.end.legs:
        leg.hold(False)
    machine.end.trouble()


async def follower_anew(universe: Universe, fault: Fault) -> None:
    await universe.replace_follower(universe.broker.chance.choice(universe.followers))


async def link_reset(universe: Universe, fault: Fault) -> None:
    """One collector's connection to Asterisk ends, and it is told or not."""
    machine = universe.broker.chance.choice(universe.collectors)
    for session in universe.sessions_of(machine):
        universe.server.sessions.remove(session)
        session.reset() if fault.amount < 0.5 else session.abandon()


async def link_partition(universe: Universe, fault: Fault) -> None:
    """One collector is cut off from Asterisk, both ways or one; the bus is not."""
    sessions = universe.sessions_of(universe.broker.chance.choice(universe.collectors))
    reads, writes = ((False, False), (False, True), (True, False))[int(fault.amount * 3)]
    for session in sessions:
        session.hold(reads=reads, writes=writes)
    await asyncio.sleep(fault.seconds)
    for session in sessions:
        session.hold(reads=True, writes=True)


async def slow_list(universe: Universe, fault: Fault) -> None:
    universe.server.items_per_turn, universe.server.list_pace = 1, 0.2 * fault.amount
    universe.broker.chance.choice(universe.collectors).link._request_snapshot()
    universe.changes.burst(20)
    await asyncio.sleep(fault.seconds)
    universe.server.items_per_turn, universe.server.list_pace = 50, FAST
