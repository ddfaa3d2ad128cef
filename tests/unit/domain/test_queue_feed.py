"""The queue feed: what counts as a change, who is told of it, and what a reader with a cursor knows afterwards."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from service.domain.feed_cursor import Cursor
from service.domain.models import Role
from service.domain.presence.change_numbers import MAX_TOMBSTONES
from service.domain.queue_entries import Averages, QueueSnapshot
from service.domain.queue_feed import PAUSE_FACTOR
from service.domain.queue_scope import QueueScope
from tests.support.queue_feeds import PROCESS, QueueWorld


def world(*servers: str) -> QueueWorld:
    return QueueWorld(*(servers or ("main",)))


def changed(scope: QueueScope, cursor: str) -> list[tuple[str, bool, bool]] | None:
    """Name, whether it is there, and whether its call server is live."""
    changes = scope.changes_since(cursor)
    return None if changes is None else [(each.key[1], each.item is not None, each.live) for each in changes]


def test_only_what_a_client_sees_is_a_change() -> None:
    made = world()
    admin = made.scope(made.person(1, Role.ADMIN))
    made.list("main", "demo", "other", members=(("demo", "101"),))
    admin.snapshot()
    cursor = admin.cursor()
    made.servers["main"].listed.end_snapshot(
        QueueSnapshot({"demo": Averages(9, 9), "other": Averages(0, 0)}, {}, {})  # the member is gone too
    )
    made.put("main", "demo", "101")
    assert changed(admin, cursor) == []
    made.put("main", "demo", "101", paused=True)
    assert changed(admin, cursor) == [("demo", True, True)]
    assert changed(admin, admin.cursor()) == []


def test_a_lost_call_server_removes_its_queues_and_what_is_gone_when_it_is_back_is_told_again() -> None:
    made = world("main", "second")
    admin = made.scope(made.person(1, Role.ADMIN))
    made.list("main", "kept", "dropped")
    made.list("second", "kept")
    assert [each.key for each in admin.snapshot()] == [("main", "dropped"), ("main", "kept"), ("second", "kept")]
    cursor = admin.cursor()
    made.lose("main")
    assert changed(admin, cursor) == [("dropped", False, False), ("kept", False, False)]
    assert made.feed.known
    cursor = admin.cursor()
    made.list("main", "kept")
    assert changed(admin, cursor) == [("kept", True, True), ("dropped", False, True)]


def test_a_call_server_that_falls_silent_is_noticed_by_whoever_reads() -> None:
    """No event tells it: no link calls `touch`."""
    made = world()
    admin = made.scope(made.person(1, Role.ADMIN))
    made.list("main", "demo")
    admin.snapshot()
    cursor = admin.cursor()
    made.servers["main"].live = False
    assert changed(admin, cursor) == [("demo", False, False)]
    assert (admin.snapshot(), made.feed.known) == ([], False)


def test_an_agent_whose_memberships_changed_needs_a_snapshot() -> None:
    made = world()
    agent = made.scope(made.person(2, Role.AGENT, "101"))
    made.list("main", "demo", "other", members=(("demo", "101"),))
    agent.snapshot()
    cursor = agent.cursor()
    assert (agent.memberships(), changed(agent, cursor)) == (frozenset({("main", "demo")}), [])
    made.put("main", "other", "101")
    assert changed(agent, cursor) is None
    assert changed(agent, agent.cursor()) == []
    cursor = agent.cursor()
    made.assign("101", None)
    assert changed(agent, cursor) is None
    assert agent.memberships() == frozenset()


def test_an_agent_who_becomes_an_admin_needs_a_snapshot() -> None:
    made = world()
    agent, admin = made.person(2, Role.AGENT), made.person(2, Role.ADMIN)
    made.list("main", "demo")
    assert changed(made.scope(admin), made.scope(agent).cursor()) is None


def test_whoever_missed_more_removals_than_are_remembered_needs_a_snapshot() -> None:
    made = world()
    admin = made.scope(made.person(1, Role.ADMIN))
    made.list("main", *(f"q{number}" for number in range(MAX_TOMBSTONES + 1)))
    admin.snapshot()
    cursor = admin.cursor()
    made.list("main")
    assert changed(admin, cursor) is None
    assert len(made.feed) == 0


def test_a_change_notifies_those_who_asked_for_its_queue_once_until_they_read() -> None:
    made = world()
    told: list[str] = []
    made.list("main", "demo", "other")
    of_demo = made.feed.subscribe(frozenset({"demo"}), lambda: told.append("demo"), by_membership=False)
    of_all = made.feed.subscribe(None, lambda: told.append("all"), by_membership=False)
    made.join("main", "other", "1")
    made.run_later()
    assert told == ["all"]
    for call in "23":
        made.join("main", "demo", call)
        made.run_later()
    assert told == ["all", "demo"]
    of_all.read()
    made.feed.subscriptions.remove(of_demo)
    made.join("main", "demo", "4")
    made.run_later()
    assert told == ["all", "demo", "all"]
    made.feed.subscriptions.remove(of_all)
    made.join("main", "demo", "5")
    assert made.later == []  # nobody listens: whoever reads compares


def test_a_slow_comparison_is_followed_by_a_pause() -> None:
    made = world()
    made.list("main", "demo")

    def slow() -> None:
        made.now += 0.25

    made.feed.subscribe(None, slow, by_membership=False).read()
    made.join("main", "demo", "1")
    assert [after for after, _ in made.later] == [0.0]
    made.run_later()
    made.join("main", "demo", "2")
    assert [after for after, _ in made.later] == [0.25 * PAUSE_FACTOR]


class Readers(RuleBasedStateMachine):
    """Whoever adds what its cursor tells to what it knows, knows what a snapshot tells."""

    def __init__(self) -> None:
        super().__init__()
        self.world = world("main", "second")
        self.people = [self.world.person(1, Role.ADMIN), self.world.person(2, Role.AGENT, "101")]
        self.known: list[dict[tuple[str, str], Any]] = [{}, {}]
        self.cursors = ["", ""]

    @rule(server=st.sampled_from(("main", "second")), queues=st.sets(st.sampled_from("abc")))
    def a_list_is_read(self, server: str, queues: set[str]) -> None:
        self.world.list(server, *sorted(queues), members=tuple((queue, "101") for queue in queues if queue == "a"))

    @rule(server=st.sampled_from(("main", "second")))
    def a_link_is_lost(self, server: str) -> None:
        self.world.lose(server)

    @rule(server=st.sampled_from(("main", "second")), queue=st.sampled_from("abc"), call=st.sampled_from("12"))
    def a_call_comes(self, server: str, queue: str, call: str) -> None:
        self.world.join(server, queue, call)

    @rule(server=st.sampled_from(("main", "second")), queue=st.sampled_from("abc"), call=st.sampled_from("12"))
    def a_call_goes(self, server: str, queue: str, call: str) -> None:
        self.world.leave(server, queue, call)

    @rule(queue=st.sampled_from("abc"), number=st.sampled_from(("101", "102")), paused=st.booleans())
    def a_member_changes(self, queue: str, number: str, paused: bool) -> None:
        self.world.put("main", queue, number, paused=paused)

    @rule(queue=st.sampled_from("abc"), number=st.sampled_from(("101", "102")))
    def a_member_goes(self, queue: str, number: str) -> None:
        self.world.take("main", queue, number)

    @rule(holder=st.sampled_from((None, 1, 2)))
    def an_extension_is_assigned(self, holder: int | None) -> None:
        self.world.assign("101", holder)

    @rule(reader=st.sampled_from((0, 1)))
    def somebody_reads(self, reader: int) -> None:
        scope, known = self.world.scope(self.people[reader]), self.known[reader]
        changes = scope.changes_since(Cursor.parse(self.cursors[reader], PROCESS).queues)
        memberships, rendering = scope.memberships(), self.world.rendering
        if changes is None:
            known.clear()
        for each in changes or ():
            known[each.key] = msgspec.json.decode(rendering.change_json(each, memberships))
            if "removed" in known[each.key]:
                del known[each.key]
        current = {each.key: each for each in scope.snapshot()}
        whole = dict(zip(current, map(msgspec.json.decode, rendering.json(current.values(), memberships)), strict=True))
        if changes is None:
            known.update(whole)
        assert known == whole
        self.cursors[reader] = PROCESS + scope.cursor()


def test_changes_add_up_to_the_snapshot_whatever_happens() -> None:
    run_state_machine_as_test(
        Readers,
        settings=settings(
            max_examples=150, stateful_step_count=40, deadline=None, phases=(Phase.generate, Phase.shrink)
        ),
    )
