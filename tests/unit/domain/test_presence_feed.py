"""The board: nothing is lost between two looks, however changes and looks interleave."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.presence.change_numbers import MAX_TOMBSTONES
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item


def item(extension: str, state: str = "Unknown", trip: float | None = None, as_of: str = "now") -> Item:
    return Item(extension, None, None, "main", state, None, None, trip, None, "not_set", "", False, as_of)


class World:
    """What the board composes from, and a loop that runs a turn when told."""

    def __init__(self) -> None:
        self.items: dict[str, Item] = {}
        self.due: list[Callable[[], None]] = []
        self.feed = PresenceFeed(self.items.get, self.due.append)

    def put(self, extension: str, state: str | None) -> None:
        if state is None:
            self.items.pop(extension, None)
        else:
            self.items[extension] = item(extension, state)
        self.feed.touch_one(extension)

    def turn(self) -> None:
        due, self.due[:] = list(self.due), []
        for work in due:
            work()

    def settle(self) -> None:
        while self.due:
            self.turn()


def test_what_is_composed_the_same_is_no_change() -> None:
    world = World()
    world.put("1", "Unknown")
    world.turn()
    version = world.feed.version
    world.items["1"] = item("1", as_of="later", trip=3.0)
    world.feed.touch_one("1")
    world.turn()
    assert world.feed.version == version
    kept = world.feed.get("1")
    assert kept is not None
    assert (kept.as_of, kept.round_trip_ms) == ("now", 3.0)


def test_a_watcher_hears_of_what_changes_no_item_too_and_of_no_other_extension() -> None:
    world = World()
    world.put("1", "Unknown")
    world.put("2", "Unknown")
    world.turn()
    heard: list[str] = []
    with world.feed.watching("1", lambda: heard.append("one")), world.feed.watching("1", lambda: heard.append("two")):
        world.feed.touch_one("1")
        world.turn()
        assert sorted(heard) == ["one", "two"]
        world.put("2", "Not in use")
        world.turn()
        assert len(heard) == 2
        world.put("1", None)
        world.settle()
        assert len(heard) == 4
    world.feed.touch_one("1")
    world.turn()
    assert len(heard) == 4


def test_a_slow_reader_finds_one_item_per_extension() -> None:
    world = World()
    subscription = world.feed.subscribe(None, lambda: None)
    for state in range(100):
        for extension in "abc":
            world.put(extension, str(state))
        world.turn()
    assert len(subscription) == 3
    version, items = subscription.take()
    assert version == world.feed.version
    assert {each.state for each in items.values() if each} == {"99"}
    assert len(subscription) == 0


def test_a_reader_that_left_gets_nothing_and_costs_nothing() -> None:
    world = World()
    told: list[str] = []
    some = world.feed.subscribe(frozenset({"1"}), lambda: told.append("some"))
    whole = world.feed.subscribe(None, lambda: told.append("all"))
    for box in (some, whole):
        world.feed.unsubscribe(box)
        box.take()
    world.put("1", "x")
    world.turn()
    assert told == []
    assert len(some) == 0


def test_a_reader_of_everything_is_told_once_until_it_looks() -> None:
    world = World()
    told: list[str] = []
    subscription = world.feed.subscribe(None, lambda: told.append("change"))
    for state in "xyz":
        world.put("1", state)
        world.turn()
    assert len(told) == 1
    subscription.take()
    world.turn()
    assert len(told) == 1
    world.put("1", "u")
    world.turn()
    assert len(told) == 2


def test_a_reader_of_everything_who_slept_too_long_needs_the_whole_picture() -> None:
    world = World()
    subscription = world.feed.subscribe(None, lambda: None)
    for state in ("x", None):
        for number in range(MAX_TOMBSTONES + 1):
            world.put(str(number), state)
        world.settle()
    assert subscription.needs_snapshot


def test_a_cursor_from_before_what_is_remembered_gets_the_whole_picture() -> None:
    world = World()
    cursor = world.feed.cursor()
    for number in range(MAX_TOMBSTONES + 1):
        world.put(str(number), "x")
    world.settle()
    for number in range(MAX_TOMBSTONES + 1):
        world.put(str(number), None)
    world.settle()
    assert world.feed.parse_cursor(cursor) is None
    assert world.feed.parse_cursor(world.feed.cursor()) == world.feed.version


CHANGES = st.tuples(st.sampled_from("abcd"), st.one_of(st.none(), st.sampled_from("xyz")))
STEPS = st.lists(st.one_of(CHANGES, st.sampled_from(["turn", "poll", "read"])), max_size=60)


@settings(deadline=None)
@given(STEPS)
def test_a_poller_and_a_stream_end_with_the_picture(steps: list[tuple[str, str | None] | str]) -> None:
    """Both only apply what they are told; in the end both know what there is."""
    world = World()
    subscription = world.feed.subscribe(None, lambda: None)
    cursor = world.feed.cursor()
    polled: dict[str, str] = {}
    streamed: dict[str, str] = {}

    def poll() -> None:
        nonlocal cursor
        version = world.feed.parse_cursor(cursor)
        assert version is not None
        cursor = world.feed.cursor()
        _apply(polled, dict(world.feed.changes_since(version)))

    for step in steps:
        if step == "turn":
            world.turn()
        elif step == "poll":
            poll()
        elif step == "read":
            _apply(streamed, subscription.take()[1])
        else:
            world.put(*step)
    world.turn()
    poll()
    _apply(streamed, subscription.take()[1])
    truth = {extension: each.state for extension, each in world.items.items()}
    assert polled == truth
    assert streamed == truth


def _apply(known: dict[str, str], changes: dict[str, Item | None]) -> None:
    for extension, each in changes.items():
        if each is None:
            known.pop(extension, None)
        else:
            known[extension] = each.state
