"""Maps of two collectors that differ are counted once the difference lasts, and no sooner."""

from __future__ import annotations

from service.bus.differences import Differences
from service.domain.models import DeviceState
from tests.unit.bus.world import DEADLINE, SERVER, World, WrittenCallServer

FREE, BUSY, RINGING = DeviceState.NOT_INUSE, DeviceState.INUSE, DeviceState.RINGING


async def two(world: World) -> tuple[WrittenCallServer, WrittenCallServer, Differences]:
    """Two collectors that agree, and what compares them."""
    one, other = world.add_collector("one"), world.add_collector("other")
    differences = Differences(SERVER, world.add_follower().follower.replicas, DEADLINE, world.clock)
    for link in (one, other):
        link.become_live({"PJSIP/1": FREE, "PJSIP/2": FREE})
    for _ in range(3):
        await world.step()
    await differences.compare()
    assert (differences.entries, differences.seconds) == (0, 0.0)
    return one, other, differences


async def test_a_lost_event_is_found_and_its_correction_too(world: World) -> None:
    one, other, differences = await two(world)
    one.states.apply("PJSIP/1", BUSY)
    await world.step()
    await differences.compare()
    assert differences.entries == 0, "a moment ago, the other one may still hear of it"
    await world.step(0.3)
    await differences.compare()
    assert (differences.entries, round(differences.seconds, 6)) == (1, 0.3)
    other.states.apply("PJSIP/1", BUSY)
    await world.step()
    await differences.compare()
    assert (differences.entries, differences.seconds) == (0, 0.0)


async def test_a_device_that_only_one_knows_differs(world: World) -> None:
    _, other, differences = await two(world)
    other.states.apply("PJSIP/3", FREE)
    for _ in range(2):
        await world.step()
        await differences.compare()
    assert differences.entries == 1


async def test_a_device_that_changes_all_the_time_does_not_differ(world: World) -> None:
    one, other, differences = await two(world)
    for before, state in ((FREE, BUSY), (BUSY, RINGING), (RINGING, FREE), (FREE, BUSY)):
        one.states.apply("PJSIP/1", state)
        other.states.apply("PJSIP/1", before)
        await world.step()
        await differences.compare()
        assert differences.entries == 0


async def test_a_map_that_is_not_fresh_is_not_compared(world: World) -> None:
    one, other, differences = await two(world)
    one.states.apply("PJSIP/1", BUSY)
    for _ in range(2):
        await world.step()
        await differences.compare()
    assert differences.entries == 1
    other.lose()
    await world.step()
    await differences.compare()
    assert (differences.entries, differences.seconds) == (0, 0.0)
