"""The queues of a call server: what is counted, who is a member, and that no message can break it."""

from __future__ import annotations

import asyncio
from collections.abc import Set

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panoramisk.message import Message

from service.ami import queue_parsing
from service.ami.queue_sync import QueueSync
from service.domain.models import DeviceState
from service.domain.queue_entries import Averages, Caller, Member, QueueSnapshot
from service.domain.queues import Queues

NOWHERE = Averages(0, 0)


def member(interface: str, state: DeviceState = DeviceState.NOT_INUSE, *, paused: bool = False, of: str = "") -> Member:
    return Member(interface, of or interface, state, paused)


def known(*members: tuple[str, Member], callers: tuple[tuple[str, str], ...] = ()) -> Queues:
    """Queues as a list told them."""
    queues = Queues()
    averages = dict.fromkeys([queue for queue, _ in members] or ["sales"], NOWHERE)
    queues.begin_snapshot()
    queues.end_snapshot(
        QueueSnapshot(
            averages, {(queue, each.interface): each for queue, each in members}, dict.fromkeys(callers, Caller())
        )
    )
    return queues


def of_device(queues: Queues, device: str) -> Set[str]:
    return queues.of_extension("", (device,))


@pytest.mark.parametrize("state", DeviceState)
@pytest.mark.parametrize("paused", [False, True])
def test_who_is_logged_in_and_available_is_counted_as_asterisk_does(state: DeviceState, paused: bool) -> None:
    (summary,) = known(("sales", member("PJSIP/1", state, paused=paused))).summaries().values()
    assert summary.logged_in == (state not in (DeviceState.UNAVAILABLE, DeviceState.INVALID))
    assert summary.available == (state in (DeviceState.NOT_INUSE, DeviceState.UNKNOWN) and not paused)


def test_a_member_is_matched_exactly_and_its_technology_in_any_case() -> None:
    queues = known(
        ("sales", member("PJSIP/12342")),
        ("long", member("PJSIP/112342")),
        ("longer", member("PJSIP/123421")),
        ("local", member("Local/12342@agents")),
        ("suffix", member("PJSIP/x-12342")),
        ("case", member("pjsip/12342")),
        ("follower", member("Local/12342@agents/n", of="Pjsip/12342")),
        ("letters", member("pjsip/ABC")),
        ("other", member("sip/12342")),
        ("follows", member("Local/12342@agents/n", of="PJSIP/12342")),
    )
    assert sorted(of_device(queues, "PJSIP/12342")) == ["case", "follower", "follows", "sales"]
    assert (of_device(queues, "PJSIP/ABC"), of_device(queues, "PJSIP/abc")) == ({"letters"}, frozenset())
    assert of_device(queues, "12342") == of_device(queues, "") == of_device(queues, "PJSIP/") == frozenset()


def test_members_come_and_go_by_events() -> None:
    queues = known(("sales", member("PJSIP/1")))
    queues.member("sales", member("PJSIP/2"))
    assert of_device(queues, "PJSIP/2") == {"sales"}
    queues.member_gone("sales", "PJSIP/1")
    assert of_device(queues, "PJSIP/1") == frozenset()
    queues.member("sales", member("PJSIP/2", of="Custom:2"))
    assert of_device(queues, "Custom:2") == {"sales"}
    assert [(each.logged_in, each.available) for each in queues.summaries().values()] == [(1, 1)]


def test_a_call_waits_once_however_often_it_is_told() -> None:
    queues = known(callers=(("sales", "1.1"),))
    for _ in range(2):
        queues.caller_joined("sales", "1.1", Caller(1))
        queues.caller_joined("sales", "1.2", Caller(2))
    assert [each.callers for each in queues.summaries().values()] == [2]
    for _ in range(2):
        queues.caller_left("sales", "1.1")
    assert [each.callers for each in queues.summaries().values()] == [1]


def waiting(queues: Queues) -> list[str | None]:
    """Who waits in the queue, the next one first."""
    return [caller.caller_id for caller in queues.contents()["sales"].callers]


def test_callers_are_in_the_order_in_which_they_are_answered() -> None:
    queues = known()
    for position, name in enumerate("abcd", 1):
        queues.caller_joined("sales", name, Caller(position, float(position), name))
    queues.caller_left("sales", "b")
    queues.caller_joined("sales", "e", Caller(4, 5.0, "e"))
    assert waiting(queues) == ["a", "c", "d", "e"]
    queues.caller_joined("sales", "urgent", Caller(1, 6.0, "urgent"))
    queues.caller_joined("sales", "second", Caller(2, 7.0, "second"))
    assert waiting(queues) == ["urgent", "second", "a", "c", "d", "e"]
    for _ in range(2):
        queues.caller_left("sales", "a")
    assert waiting(queues) == ["urgent", "second", "c", "d", "e"]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["join", "leave"]), st.integers(0, 9)), max_size=60))
def test_the_order_is_asterisks_whoever_joins_and_leaves(steps: list[tuple[str, int]]) -> None:
    """The model is Asterisk's list: it tells a position when somebody joins, and nothing of those who move."""
    queues, model = known(), list[str]()
    for number, (step, place) in enumerate(steps):
        if step == "join":
            position = min(place, len(model)) + 1
            model.insert(position - 1, str(number))
            queues.caller_joined("sales", str(number), Caller(position, float(number), str(number)))
        elif model:
            queues.caller_left("sales", model.pop(place % len(model)))
        assert waiting(queues) == model


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["join", "leave"]), st.integers(0, 9)), max_size=40), st.data())
def test_the_order_is_asterisks_whenever_the_list_is_taken(steps: list[tuple[str, int]], data: st.DataObject) -> None:
    """Asterisk fills the list some time after the request. Older events may follow, some of them even the Pong."""
    model, pictures, events = list[str](), [list[str]()], list[tuple[str, Caller | None]]()
    for number, (step, place) in enumerate(steps):
        if step == "join":
            position = min(place, len(model)) + 1
            model.insert(position - 1, str(number))
            events.append((str(number), Caller(position, 0.0, str(number))))
        elif model:
            events.append((model.pop(place % len(model)), None))
        else:
            continue
        pictures.append(list(model))
    requested = data.draw(st.integers(0, len(events)))
    filled, closed = data.draw(st.integers(requested, len(events))), data.draw(st.integers(requested, len(events)))
    queues = Queues()
    for number in range(requested, len(events) + 1):
        if number == requested:
            queues.begin_snapshot()
        if number == closed:
            listed = {("sales", name): Caller(at, 0.0, name) for at, name in enumerate(pictures[filled], 1)}
            queues.end_snapshot(QueueSnapshot({"sales": NOWHERE}, {}, listed))
        if number < len(events):
            name, joined = events[number]
            queues.caller_left("sales", name) if joined is None else queues.caller_joined("sales", name, joined)
    assert waiting(queues) == model


def test_the_time_since_which_somebody_waits_stays_the_one_first_told() -> None:
    queues = known()
    queues.caller_joined("sales", "1.1", Caller(1, 100.25, "a"))
    queues.begin_snapshot()
    queues.end_snapshot(QueueSnapshot({"sales": NOWHERE}, {}, {("sales", "1.1"): Caller(1, 100.9, "a")}))
    assert [caller.waiting_since for caller in queues.contents()["sales"].callers] == [100.25]


def test_a_queue_that_did_not_change_keeps_its_object() -> None:
    queues = known(("sales", member("PJSIP/1")), ("support", member("PJSIP/2")))
    before = queues.contents()
    queues.member("sales", member("PJSIP/1", paused=True))
    after = queues.contents()
    assert after["support"] is before["support"]
    assert after["sales"] is not before["sales"]


def test_what_is_told_of_a_queue_that_is_not_listed_is_no_queue() -> None:
    queues = known(("sales", member("PJSIP/1")))
    queues.member("new", member("PJSIP/1"))
    queues.caller_joined("new", "1.1", Caller(1))
    assert [each.name for each in queues.summaries().values()] == ["sales"]
    assert of_device(queues, "PJSIP/1") == {"sales"}


def test_without_a_line_nothing_is_known() -> None:
    queues = known(("sales", member("PJSIP/1")), callers=(("sales", "1.1"),))
    queues.lost()
    assert not queues.known
    assert not queues.summaries()
    assert of_device(queues, "PJSIP/1") == frozenset()


def test_a_list_is_read_as_asterisk_writes_it() -> None:
    told = (
        {"Event": "QueueParams", "Queue": "sales", "Holdtime": "7", "TalkTime": "61", "Completed": "3"},
        {"Event": "QueueMember", "Queue": "sales", "Name": "mona", "Location": "Local/1@x", "Status": "8",
         "StateInterface": "PJSIP/1", "Paused": "1", "PausedReason": "tea", "LastPause": "900", "Penalty": "2",
         "CallsTaken": "7", "LastCall": "800", "InCall": "1"},
        {"Event": "QueueMember", "Queue": "sales", "Location": "PJSIP/2", "Status": "99", "Paused": "0"},
        {"Event": "QueueEntry", "Queue": "sales", "Uniqueid": "1795311661.0", "Position": "1", "Wait": "10",
         "CallerIDNum": "0301234"},
        {"Event": "QueueEntry", "Queue": "sales", "Uniqueid": "1795311662.0", "Position": "2", "Wait": "9",
         "CallerIDNum": "<unknown>"},
    )  # fmt: skip
    listed = queue_parsing.parse_list(map(Message, told), 1000.5)
    assert listed.averages == {"sales": Averages(7, 61)}
    assert listed.members == {
        ("sales", "Local/1@x"): Member(
            "Local/1@x",
            "PJSIP/1",
            DeviceState.ONHOLD,
            paused=True,
            name="mona",
            paused_reason="tea",
            paused_at=900,
            penalty=2,
            in_call=True,
            calls_taken=7,
            last_call_at=800,
        ),
        ("sales", "PJSIP/2"): Member("PJSIP/2", "PJSIP/2", DeviceState.UNKNOWN, paused=False, name="PJSIP/2"),
    }
    assert listed.callers == {
        ("sales", "1795311661.0"): Caller(1, 990.5, "0301234"),
        ("sales", "1795311662.0"): Caller(2, 991.5, None),
    }


HEADERS = st.sampled_from(
    ["Position", "Wait", "CallerIDNum", "LastPause", "LastCall", "CallsTaken", "Penalty", "InCall", "PausedReason",
     "Queue", "Location", "Interface", "StateInterface", "Status", "Paused", "Uniqueid", "Holdtime", "TalkTime"]
)  # fmt: skip
VALUES = st.one_of(st.text(max_size=20), st.just("9" * 5000), st.just("٣"), st.lists(st.text(max_size=3), max_size=2))
NAMES = st.sampled_from(
    ["QueueParams", "QueueMember", "QueueEntry", "QueueMemberStatus", "QueueMemberAdded", "QueueMemberRemoved",
     "QueueMemberPause", "QueueCallerJoin", "QueueCallerLeave", "AgentComplete", "QueueSomethingNew", "Hangup"]
)  # fmt: skip


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(NAMES, st.dictionaries(HEADERS, VALUES)), max_size=10))
def test_no_message_breaks_it(told: list[tuple[str, dict[str, object]]]) -> None:
    async def run() -> None:
        follower = QueueSync("main", Queues(), 2.0)
        messages = [Message({"Event": name, **headers}) for name, headers in told]
        follower.queues.begin_snapshot()
        for message in messages:
            follower.on_event(message.event, message)
        follower.queues.end_snapshot(queue_parsing.parse_list(messages, 1000.0))
        for summary in follower.queues.summaries().values():
            assert 0 <= summary.available <= summary.logged_in

    asyncio.run(run())
