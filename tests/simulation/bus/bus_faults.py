"""The faults of the bus itself."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from service.bus.messages import VERSION
from tests.simulation.bus.ends import End
from tests.simulation.bus.legs import SOON
from tests.simulation.plan import Fault

if TYPE_CHECKING:
    from tests.simulation.bus.universe import Universe


async def latency(universe: Universe, fault: Fault) -> None:
    """One end is slow to reach, up to several times the deadline."""
    end = universe.some_end()
    high = 8.0 * fault.amount**3
    for leg in end.legs:
        leg.latency = (high / 2, high)
    await asyncio.sleep(fault.seconds)
    for leg in end.legs:
        leg.latency = SOON
    end.trouble()


async def loss(universe: Universe, fault: Fault) -> None:
    await _with(universe.some_end(), fault, loss=0.5 * fault.amount)


async def duplicates(universe: Universe, fault: Fault) -> None:
    """Core NATS makes none; the core of the bus must bear them."""
    await _with(universe.some_end(), fault, duplicates=fault.amount)


async def overtaking(universe: Universe, fault: Fault) -> None:
    """Messages of several subjects overtake one another, and those of one as well."""
    await _with(universe.some_end(), fault, overtaking=0.5 * fault.amount)


async def _with(end: End, fault: Fault, **values: float) -> None:
    for leg in end.legs:
        vars(leg).update(values)
    await asyncio.sleep(fault.seconds)
    for leg in end.legs:
        vars(leg).update(dict.fromkeys(values, 0.0))
    end.trouble()


async def bus_partition(universe: Universe, fault: Fault) -> None:
    """An end is cut off, both ways or one. Then all arrives late, or the connection has ended meanwhile."""
    end = universe.some_end()
    legs = (end.legs, end.legs[:1], end.legs[1:])[int(fault.amount * 3)]
    for leg in legs:
        leg.hold(True)
    await asyncio.sleep(fault.seconds)
    if fault.amount * 3 % 1 < 0.5:
        end.reset()
    for leg in legs:
        leg.hold(False)
    end.trouble()


async def cut(universe: Universe, fault: Fault) -> None:
    """One end is not heard by one other: what it sends is lost."""
    chance = universe.broker.chance
    collector, follower = chance.choice(universe.collectors).name, chance.choice(universe.followers).name
    pair = (collector, follower) if fault.amount < 0.5 else (follower, collector)
    universe.broker.cut.add(pair)
    await asyncio.sleep(fault.seconds)
    universe.broker.cut.discard(pair)
    universe.broker.trouble()


async def paused(universe: Universe, fault: Fault) -> None:
    universe.broker.pause(True)
    universe.changes.burst(int(40 * fault.amount))
    await asyncio.sleep(fault.seconds)
    if universe.broker.running:
        universe.broker.pause(False)


async def killed(universe: Universe, fault: Fault) -> None:
    universe.broker.kill()
    await asyncio.sleep(fault.seconds)
    universe.broker.start()


async def bus_reset(universe: Universe, fault: Fault) -> None:
    universe.some_end().reset()


async def slow_consumer(universe: Universe, fault: Fault) -> None:
    """An end reads nothing for a while, and what does not fit into its queue is dropped."""
    end = universe.some_end()
    end.slow = True
    universe.changes.burst(int(200 * fault.amount))
    await asyncio.sleep(fault.seconds)
    end.read_on()
    end.trouble()


async def garbage(universe: Universe, fault: Fault) -> None:
    """Bytes that are no message, on a subject of a collector or a follower, or of collectors that do not exist."""
    chance, broker = universe.broker.chance, universe.broker
    collector, follower = chance.choice(universe.collectors), chance.choice(universe.followers)
    collector.end.trouble()
    for _ in range(1 + int(20 * fault.amount)):
        kind = chance.random()
        body = chance.randbytes(chance.randrange(40))
        if kind < 0.3:
            body = VERSION + body
        elif kind < 0.5:
            body = VERSION + b"\x93\x01" + b"\x91" * chance.randrange(2_000)
        elif kind < 0.6:
            body = VERSION + b"\x85\xa4type\xa4Echo\xa5nonce\x01" + body
        if chance.random() < 0.4:
            broker.to_followers(collector.name, "main", body)
        elif chance.random() < 0.6:
            broker.to_collectors(follower.name, "main", body, None)
        else:
            broker.to_followers(f"stranger {chance.randrange(30)}", "main", body)
    await asyncio.sleep(0)


async def other_version(universe: Universe, fault: Fault) -> None:
    """A collector of another version publishes for a while under the name of one."""
    collector = universe.broker.chance.choice(universe.collectors)
    for _ in range(1 + int(fault.seconds * 2)):
        collector.end.trouble()
        universe.broker.to_followers(collector.name, "main", b"\x02\x81\xa4type\xa7Changes")
        await asyncio.sleep(0.5)
    collector.end.trouble()
