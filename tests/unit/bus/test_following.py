"""A follower shows what a fresh collector knows, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from service.bus.copies import MAX_COLLECTORS
from service.bus.messages import Changes, CollectorFacts, Echo, Nonce, encode
from service.domain.call_server import LinkFacts
from service.domain.contacts import Contact
from service.domain.custom_presence import Presence, PresenceState
from service.domain.device_states import Freshness
from service.domain.models import DeviceState, NotLive, Reading
from service.domain.queue_entries import Averages, Caller, Member, QueueSnapshot
from tests.unit.bus.world import DEADLINE, Followed, World

FREE, BUSY = DeviceState.NOT_INUSE, DeviceState.INUSE
DEVICE = "PJSIP/1"


def reading(followed: Followed, device: str = DEVICE) -> Reading:
    return followed.server.states.read(device)


async def test_without_a_collector_the_reason_is_the_bus(world: World) -> None:
    followed = world.add_follower()
    await world.step()
    assert reading(followed).reason is NotLive.BUS
    assert followed.server.states.freshness is Freshness.NO_COLLECTOR


async def test_a_follower_shows_the_map_and_its_changes(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    assert reading(followed) == Reading(FREE)
    link.states.apply(DEVICE, BUSY)
    link.states.apply("PJSIP/2", FREE)
    await world.step()
    assert reading(followed) == Reading(BUSY)
    assert reading(followed, "PJSIP/2") == Reading(FREE)


async def test_everything_that_a_link_knows_arrives(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    link.contacts.begin_reading("1")
    link.contacts.end_reading("1", [Contact("sip:1@example.net", True, 1200, "192.0.2.1:5060", "phone")])
    link.presences.apply("1", Presence(PresenceState.AWAY, "lunch"))
    link.hints.put("1", {"phones": "PJSIP/1"})
    link._on_hints_changed({"1"})
    member = Member("PJSIP/1", "PJSIP/1", FREE, paused=False)
    caller = Caller(1, 12.0, "4711")
    listed = QueueSnapshot({"demo": Averages(3, 4)}, {("demo", "PJSIP/1"): member}, {("demo", "1.2"): caller})
    link.all_queues.begin_snapshot()
    link.all_queues.end_snapshot(listed)
    for _ in range(3):
        await world.step()
    server = followed.server
    assert server.contacts_of("1") == link.contacts_of("1")
    assert server.presences.of("1") == Presence(PresenceState.AWAY, "lunch")
    assert server.hints.texts_of("1") == {"phones": "PJSIP/1"}
    assert server.all_queues.contents() == link.all_queues.contents()
    assert server.queues is server.all_queues
    assert (server.refused_accounts, server.hint_differences) == ({"sync": "refused"}, 3)
    link.all_queues.lost()
    link.contacts.forget("1")
    await world.step()
    assert not server.all_queues.known
    assert server.contacts_of("1") is None


async def test_contacts_that_were_read_again_are_reported_as_read(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    heard: list[tuple[str, bool]] = []
    followed.server.contacts_changed = lambda endpoint, read: heard.append((endpoint, read))
    followed.server.read_contacts_later("1")
    world.network.deliver()
    assert link.reread == ["1"]
    for _ in range(2):
        link.contacts.begin_reading("1")
        link.contacts.end_reading("1", [Contact("sip:1@example.net")])
        await world.step()
    link.contacts.apply("1", "sip:1@example.net", "Reachable", 5)
    await world.step()
    assert heard == [("1", True), ("1", True), ("1", False)]


async def test_a_gap_voids_the_map_at_once_and_a_snapshot_heals_it(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    link.states.apply(DEVICE, BUSY)
    world.turn()
    world.network.waiting.clear()  # lost
    link.states.apply("PJSIP/2", FREE)
    world.turn()
    world.network.deliver()
    assert not reading(followed).live
    assert reading(followed).reason is NotLive.SYNCHRONISING
    for _ in range(8):
        await world.step()
    assert reading(followed) == Reading(BUSY)
    assert followed.follower.replicas["a"].gaps == 1


async def test_the_last_change_lost_is_noticed_by_an_echo(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    link.states.apply(DEVICE, BUSY)
    world.turn()
    world.network.waiting.clear()  # lost, and no other change follows
    began = world.clock.now
    while reading(followed) != Reading(BUSY):
        await world.step()
        if reading(followed).live and reading(followed).state is FREE:
            assert world.clock.now - began <= DEADLINE
        assert world.clock.now - began < 2 * DEADLINE


async def test_another_epoch_voids_what_was_said_before(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    link.lose()
    world.network.deliver()
    assert reading(followed).reason is NotLive.DISCONNECTED
    link.become_live({DEVICE: BUSY})
    for _ in range(5):
        await world.step()
    assert reading(followed) == Reading(BUSY)


async def test_a_collector_that_vanishes_leaves_nothing_live_past_the_deadline(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    world.kill("a")
    killed_at = world.clock.now
    while reading(followed).live:
        await world.step()
        assert world.clock.now - killed_at <= DEADLINE + 0.2
    await world.step()
    assert reading(followed).reason is NotLive.BUS


async def test_one_of_two_collectors_that_vanishes_is_not_noticed(world: World) -> None:
    followed = world.add_follower()
    states = {f"PJSIP/{number}": FREE for number in range(3000)}
    world.add_collector("a").become_live({**states, "PJSIP/gone": BUSY})
    for _ in range(5):
        await world.step()
    world.add_collector("b").become_live(states)
    for _ in range(5):
        await world.step()
    shown = followed.follower.shown
    assert shown is not None
    changes: list[str | None] = []
    followed.server.changed = changes.append
    world.kill(shown)
    for link in world.links.values():
        link.states.apply(DEVICE, BUSY)
    for _ in range(40):
        await world.step()
        assert reading(followed).live
    assert followed.follower.shown not in (None, shown)
    assert reading(followed) == Reading(BUSY)
    assert not reading(followed, "PJSIP/gone").live
    assert None not in changes, "the difference, not all at once"


async def test_a_follower_stays_with_a_collector_while_it_is_fresh(world: World) -> None:
    followed = world.add_follower()
    world.add_collector("a").become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    world.add_collector("b").become_live({DEVICE: BUSY})  # it differs: two truths would flap
    for _ in range(40):
        await world.step()
        assert followed.follower.shown == "a"
        assert reading(followed) == Reading(FREE)


async def test_an_echo_that_waited_proves_nothing(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    for _ in range(30):  # the broker is frozen: all that is sent waits
        world.clock.now += 0.1
        link.states.confirm(world.clock.now)
        followed.follower.check()
        world.turn()
    assert not reading(followed).live
    waiting = world.network.waiting[:5]
    world.network.waiting.clear()
    for deliver, _, _ in waiting:  # the oldest nonces, and their echoes, arrive now
        deliver()
    world.network.deliver()
    assert not reading(followed).live


async def test_a_silent_link_is_not_live_for_followers_either(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    link.states.confirm = lambda at, *, at_most=False: None  # type: ignore[method-assign]  # Asterisk answers no Ping
    for _ in range(int(DEADLINE / 0.1) + 1):
        await world.step()
    assert reading(followed).reason is NotLive.SILENT


async def test_garbage_voids_the_copy_and_raises_nothing(world: World) -> None:
    link, followed = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    for body in (b"", b"\x01", b"\x02\x90", b"\x01" + b"\xff" * 9, b"\x01" * 300_000, b"\x01" + b"\x91" * 100_000):
        followed.follower.received("a", body)
        assert not reading(followed).live
        world.ends["a"].received("main", "follower", body)
    for _ in range(8):
        await world.step()
    assert reading(followed) == Reading(FREE)


async def test_strangers_are_bounded(world: World) -> None:
    followed = world.add_follower()
    for number in range(100):
        followed.follower.received(f"stranger {number}", b"\x01")
    assert len(followed.follower.replicas) <= 8


async def test_a_copy_that_is_older_than_the_one_before_is_shown_no_longer_than_the_deadline(world: World) -> None:
    """What the collector before has confirmed says nothing about another one's map."""
    followed = world.add_follower()
    world.add_collector("a").become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    silent = world.add_collector("b")
    silent.become_live({DEVICE: FREE})
    for _ in range(10):
        await world.step()
    assert followed.follower.shown == "a"
    silent.states.confirm = lambda at, *, at_most=False: None  # type: ignore[method-assign]  # Asterisk answers no Ping
    world.links["a"].states.apply(DEVICE, BUSY)
    changed_at = world.clock.now
    for _ in range(5):
        await world.step()
    assert reading(followed) == Reading(BUSY)
    world.kill("a")
    for _ in range(9):
        await world.step()
    assert followed.follower.shown == "b"
    assert reading(followed) == Reading(FREE)
    while reading(followed).live:
        assert world.clock.now <= changed_at + DEADLINE + 0.01
        await world.step()


async def test_a_collector_is_heard_however_many_have_ended_before(world: World) -> None:
    """One that ends again and again has another id each time."""
    followed = world.add_follower()
    for number in range(10):
        world.add_collector(f"ended {number}").become_live({DEVICE: FREE})
        for _ in range(8):
            await world.step()
        world.kill(f"ended {number}")
    for _ in range(int(DEADLINE / 0.1) + 1):
        await world.step()
    world.add_collector("new").become_live({DEVICE: FREE})
    for _ in range(12):
        await world.step()
    assert reading(followed) == Reading(FREE)


async def test_an_echo_names_all_that_was_read_before_it(world: World) -> None:
    link, _ = world.add_collector("a"), world.add_follower()
    link.become_live({DEVICE: FREE})
    await world.step()
    await world.step()
    link.states.apply(DEVICE, BUSY)  # in the same turn of the loop as the nonce
    world.ends["a"].received("main", "follower", encode(Nonce(1)))
    changes, echo = world.network.from_collectors()
    assert isinstance(changes, Changes)
    assert isinstance(echo, Echo)
    assert (changes.entries.devices, changes.sequence) == ({DEVICE: BUSY}, echo.sequence)


async def test_queues_are_unknown_while_the_callers_of_one_fit_into_no_message(world: World) -> None:
    """A queue without its callers would be a lie. It is known again as soon as they fit."""
    followed = world.add_follower()
    late: Followed | None = None
    link = world.add_collector("a")
    link.become_live({DEVICE: FREE})
    crowd = {("support", f"{number:0200}"): Caller(number, 1.0, "0" * 40) for number in range(1, 2001)}
    link.all_queues.begin_snapshot()
    link.all_queues.end_snapshot(QueueSnapshot({"support": Averages(0, 0)}, {}, crowd))
    for _ in range(2):
        for _ in range(4):
            await world.step()
        for each in (followed, late) if late is not None else (followed,):
            assert reading(each).live
            assert not each.server.all_queues.known
        late = late or world.add_follower("follower 2")  # which reads it in a snapshot
    for unique_id in list(crowd)[100:]:
        link.all_queues.callers.leave(*unique_id)
    for _ in range(4):
        await world.step()
    assert late is not None
    for each in (followed, late):
        assert each.server.all_queues.contents() == link.all_queues.contents()
        assert each.server.all_queues.known


async def test_whoever_publishes_a_follower_keeps_a_few_copies(world: World) -> None:
    """Names cost an end of the bus nothing. The collector that is shown keeps its place."""
    followed = world.add_follower()
    world.add_collector("a").become_live({DEVICE: FREE})
    for _ in range(3):
        await world.step()
    nonce, nothing = followed.follower._nonces._newest, CollectorFacts(LinkFacts(), {}, 0)
    echo = Echo(nonce, "", 0, 0.0, Freshness.CONNECTING, datetime.now(UTC), nothing)
    for number in range(100):
        followed.follower.received(f"stranger {number}", encode(echo))
    assert len(followed.follower.replicas) <= MAX_COLLECTORS
    assert followed.follower.shown == "a"
    assert reading(followed) == Reading(FREE)
