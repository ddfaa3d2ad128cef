"""Very much that changes at once is composed in slices, and nobody who looks meanwhile is told anything older."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.contacts import Contacts
from service.domain.custom_presence import CustomPresences
from service.domain.device_mapping import DeviceMapping
from service.domain.device_states import DeviceStates
from service.domain.directory import Directory
from service.domain.models import DeviceState, Person, Role
from service.domain.presence import feed, subscription
from service.domain.presence.scope import Scope
from service.runtime import presence_composer
from service.runtime.presence_composer import PresenceComposer
from service.web.presence import feed_aggregates
from service.web.presence.snapshot_cache import SnapshotCache
from tests.support.directories import fill
from tests.support.stored import stored_extension
from tests.unit.domain.test_presence_feed import World, _apply

ADMIN = Person(1, "u1", "ann", Role.ADMIN, True, "Ann", None, False)
NUMBERS = "abcdefgh"
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(NUMBERS), st.one_of(st.none(), st.sampled_from("xyz"))),
        st.sampled_from(["all", "turn", "read", "poll", "whole"]),
        st.frozensets(st.sampled_from(NUMBERS), min_size=1),
    ),
    max_size=60,
)


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(feed, "SLICE_SIZE", 2)
        patch.setattr(feed_aggregates, "SLICE_SIZE", 2)
        patch.setattr(subscription, "MAX_BATCH", 3)
        yield


def scope(world: World, *numbers: str) -> Scope:
    return Scope(world.feed, Directory(lambda: 0.0, lambda: 0.0), ADMIN, frozenset(numbers), frozenset())


def truth(world: World, numbers: str = NUMBERS) -> dict[str, str]:
    return {number: world.items[number].state for number in numbers if number in world.items}


@settings(deadline=None)
@given(STEPS)
def test_whoever_looks_is_told_what_is_and_whoever_follows_ends_with_it(steps: list[Any]) -> None:
    world = World()
    snapshots = SnapshotCache(world.feed, b"key")
    followed = world.feed.subscribe(None, lambda: None)
    streamed: dict[str, str] = {}
    known: dict[str, dict[str, str]] = {number: {} for number in NUMBERS}
    cursors = {number: scope(world).cursor() for number in NUMBERS}

    def poll() -> None:
        for number in NUMBERS:
            asked = scope(world, number)
            changes = asked.changes_since(cursors[number])
            assert changes is not None
            _apply(known[number], dict(changes))
            cursors[number] = asked.cursor()
            assert known[number] == truth(world, number)

    def whole() -> None:
        """As soon as it is ready; that it was made in slices changes nothing."""
        while not snapshots.is_ready():
            assert world.due, "somebody works on it"
            world.turn()
        everything = scope(world)
        shown = msgspec.json.decode(snapshots.snapshot_json(everything))
        assert [item["extension"] for item in shown] == sorted(world.items)
        assert {item["extension"]: item["state"] for item in shown} == truth(world)
        assert snapshots.etag(everything) == snapshots.etag_of(list(world.items.values()))

    for step in steps:
        if step == "turn":
            world.turn()
        elif step == "read":
            taken = followed.take()[1]
            assert {number: item.state for number, item in taken.items() if item} == truth(world, "".join(taken))
            _apply(streamed, taken)
        elif step == "poll":
            poll()
        elif step == "whole":
            whole()
        elif step == "all":
            for number in NUMBERS:
                world.put(number, "lost")
        elif isinstance(step, frozenset):
            shown = {item.extension: item.state for item in scope(world, *step).snapshot()}
            assert shown == truth(world, "".join(step))
        else:
            world.put(*step)
    world.settle()
    poll()
    whole()
    while len(followed):
        _apply(streamed, followed.take()[1])
    assert streamed == truth(world)


def test_no_turn_composes_more_than_a_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    composed = 0
    compose = world.feed._compose

    def counted(number: str) -> Any:
        nonlocal composed
        composed += 1
        return compose(number)

    world.feed._compose = counted
    turns = 0
    for number in range(101):
        world.put(str(number), "x")
    while world.due:
        composed, turns = 0, turns + 1
        world.turn()
        assert composed <= feed.SLICE_SIZE
    assert turns > 100 // feed.SLICE_SIZE
    assert len(world.feed) == 101


async def test_a_link_that_fell_silent_is_seen_by_the_very_next_look_at_any_extension() -> None:
    """Nobody tells of it: time has passed, as when the machine was suspended. No turn of the loop comes between."""
    now = 1000.0
    directory = Directory(lambda: now, lambda: now)
    numbers = [str(number) for number in range(50)]
    fill(directory, [], [], [stored_extension(number) for number in numbers])
    states = DeviceStates(lambda: now, deadline=10.0)
    mapping = DeviceMapping(states)
    link = SimpleNamespace(
        states=states, contacts=Contacts(), presences=CustomPresences(), mapping=mapping, changed=None
    )
    composer = PresenceComposer(directory)
    composer.follow({"main": link})  # type: ignore[dict-item]
    composer.feed.touch(numbers)
    states.begin_snapshot()
    states.end_snapshot({f"PJSIP/{number}": DeviceState.NOT_INUSE for number in numbers})
    states.confirm(now)
    composer.feed.flush()
    assert all(item.live for item in composer.feed.items())
    told = composer.feed.subscribe(frozenset({"7"}), lambda: None)
    now += 10.1
    for number in ("3", "49"):
        shown = Scope(composer.feed, directory, ADMIN, frozenset({number}), frozenset()).snapshot()
        assert [item.live for item in shown] == [False]
    assert composer.feed.behind
    assert told.take_links() == {"main": False}
    states.confirm(now)
    (shown_again,) = Scope(composer.feed, directory, ADMIN, frozenset({"3"}), frozenset()).snapshot()
    assert shown_again.live


async def test_items_of_a_link_that_was_confirmed_only_while_they_were_composed_end_with_it() -> None:
    """The confirmation comes after the check that found the link silent, and before the items are composed."""
    now = 1000.0
    directory = Directory(lambda: now, lambda: now)
    fill(directory, [], [], [stored_extension("7")])
    states = DeviceStates(lambda: now, deadline=10.0)
    mapping = DeviceMapping(states)
    link = SimpleNamespace(
        states=states, contacts=Contacts(), presences=CustomPresences(), mapping=mapping, changed=None
    )
    composer = PresenceComposer(directory)
    composer.follow({"main": link})  # type: ignore[dict-item]
    composer.feed.touch(["7"])
    composer.feed.flush()
    states.begin_snapshot()
    states.end_snapshot({"PJSIP/7": DeviceState.NOT_INUSE})
    link.changed(None)
    states.confirm(now)
    composer.feed.flush()
    (item,) = composer.feed.items()
    assert item.live
    now += 10.1
    composer.feed.catch_up()
    (item,) = composer.feed.items()
    assert not item.live


async def test_a_link_that_is_down_is_not_looked_at_more_often_than_one_that_is_up() -> None:
    now = 1000.0
    directory = Directory(lambda: now, lambda: now)
    states = DeviceStates(lambda: now, deadline=10.0)
    mapping = DeviceMapping(states)
    link = SimpleNamespace(
        states=states, contacts=Contacts(), presences=CustomPresences(), mapping=mapping, changed=None
    )
    composer = PresenceComposer(directory)
    composer.follow({"main": link})  # type: ignore[dict-item]
    assert composer.due_in == presence_composer.CHECK_INTERVAL
    states.begin_snapshot()
    states.end_snapshot({})
    states.confirm(now)
    assert composer.due_in == presence_composer.CHECK_INTERVAL
    now += 9.5
    assert composer.due_in == pytest.approx(0.5 + presence_composer.PAST_DEADLINE)
    now += 0.5
    assert composer.due_in == pytest.approx(presence_composer.PAST_DEADLINE)
    now += 1.0
    assert composer.due_in == presence_composer.MIN_CHECK_INTERVAL
    states.connecting()
    assert composer.due_in == presence_composer.CHECK_INTERVAL
