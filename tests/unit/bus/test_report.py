"""What operators are told of the bus: the collectors, which one is followed, and why another cannot be."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest

from service.bus.differences import Differences
from service.bus.report import Bus, FollowerReport, describe_follower
from service.domain.models import DeviceState
from service.web.ops.bus_metrics import BusCollector
from tests.unit.bus.world import DEADLINE, SERVER, Followed, World

FREE, BUSY = DeviceState.NOT_INUSE, DeviceState.INUSE


def told(world: World, followed: Followed) -> FollowerReport:
    differences = Differences(SERVER, followed.follower.replicas, DEADLINE, world.clock)
    return describe_follower(followed.follower, differences, DEADLINE, world.clock)


async def test_each_collector_is_named_with_the_reason_why_it_cannot_be_followed(world: World) -> None:
    one, other = world.add_collector("one"), world.add_collector("other")
    followed = world.add_follower()
    assert told(world, followed) == FollowerReport(None, (), 0, 0, 0, 0, 0.0)
    one.become_live({"PJSIP/1": FREE})
    for _ in range(3):
        await world.step()
    report = told(world, followed)
    assert (report.followed, report.snapshots) == ("one", 1)
    (first, second) = report.collectors
    assert (first.name, first.followed, first.fresh, first.entries, first.why) == ("one", True, True, 1, None)
    assert first.proof_age is not None
    assert first.proof_age < 1
    assert (second.followed, second.fresh, second.proof_age) == (False, False, None)
    assert second.why == "its link to Asterisk is disconnected"
    other.become_live({"PJSIP/1": FREE})
    for _ in range(3):
        await world.step()
    assert [each.fresh for each in told(world, followed).collectors] == [True, True]
    assert told(world, followed).followed == "one", "it stays with the one that it follows"
    world.kill("one")
    for _ in range(12):
        await world.step()
    report = told(world, followed)
    assert report.followed == "other"
    assert (report.collectors[0].why or "").startswith("it answered ")


async def test_lost_changes_are_counted_and_stay_counted_when_the_connection_ends(world: World) -> None:
    link, followed = world.add_collector("one"), world.add_follower()
    link.become_live({"PJSIP/1": FREE})
    for _ in range(3):
        await world.step()
    link.states.apply("PJSIP/1", BUSY)
    world.turn()
    world.network.waiting.clear()  # lost
    link.states.apply("PJSIP/1", FREE)
    await world.step()
    assert told(world, followed).gaps == 1
    followed.follower.lost(None)
    assert told(world, followed).gaps == 1


async def test_a_scrape_shows_the_bus(world: World) -> None:
    link, followed = world.add_collector("one"), world.add_follower()
    link.become_live({"PJSIP/1": FREE})
    for _ in range(3):
        await world.step()
    bus = Bus("follower", lambda: True, {SERVER: lambda: told(world, followed)})
    lines = set(_lines(bus))
    assert {
        "connector_bus_connected 1.0",
        'connector_bus_collectors{call_server="main"} 1.0',
        'connector_bus_collectors_fresh{call_server="main"} 1.0',
        'connector_bus_collector_followed{call_server="main",collector="one"} 1.0',
        'connector_bus_gaps_total{call_server="main"} 0.0',
        'connector_bus_snapshots_total{call_server="main"} 1.0',
        'connector_bus_difference_seconds{call_server="main"} 0.0',
    } <= lines
    assert [*_lines(None)] == []


def _lines(bus: Bus | None) -> Iterator[str]:
    registry = CollectorRegistry()
    registry.register(BusCollector(bus))
    return (line for line in generate_latest(registry).decode().splitlines() if not line.startswith("#"))
