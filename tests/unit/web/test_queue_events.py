"""Queues on a stream: a reader whose line is cut anywhere, and who comes back with its last id, misses nothing."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from service.domain.feed_cursor import Cursor
from service.domain.models import Person, Role
from service.web.queues.events import QueueStream
from tests.support.queue_feeds import PROCESS, QueueWorld

PRESENCE = f"{PROCESS}-7"


def parse(stream: bytes) -> list[tuple[str | None, dict[str, Any]]]:
    """Id and data of each event."""
    events = []
    for block in stream.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        assert fields.pop("event") == "queue"
        events.append((fields.get("id"), json.loads(fields["data"])))
    return events


class Client:
    """What a browser keeps: the queues by call server and name, and the id of the last event."""

    def __init__(self) -> None:
        self.known: dict[tuple[str, str], Any] = {}
        self.last: str | None = None

    def take(self, events: list[tuple[str | None, dict[str, Any]]]) -> None:
        for id_, queue in events:
            key = queue["callServer"], queue["name"]
            self.known[key] = queue
            if queue.get("removed"):
                del self.known[key]
            self.last = id_ if id_ is not None else self.last


def begin(made: QueueWorld, person: Person, client: Client, *names: str) -> tuple[QueueStream, bytes]:
    """What a stream begins with: what was missed, or the presence snapshot, upon which a client forgets all."""
    stream = made.stream(made.scope(person, *names))
    missed = stream.missed(Cursor.parse(client.last or "", PROCESS))
    if missed is not None:
        return stream, stream.render_missed(PRESENCE, missed)
    client.known, client.last = {}, PRESENCE
    return stream, stream.render_snapshot(PRESENCE)


def test_a_snapshot_counts_as_seen_with_its_last_event_only() -> None:
    made, client = QueueWorld("main"), Client()
    made.list("main", "a", "b", "c")
    stream, first = begin(made, made.person(1, Role.ADMIN), client, "a", "c", "unknown")
    assert [(id_, queue["name"]) for id_, queue in parse(first)] == [(None, "a"), (PRESENCE + stream.cursor, "c")]


def test_each_change_has_an_id_of_its_own() -> None:
    made, client = QueueWorld("main"), Client()
    made.list("main", "a", "b")
    stream, _ = begin(made, made.person(1, Role.ADMIN), client, "a", "b")
    made.join("main", "b", "1")
    assert stream.take_news(PRESENCE)
    made.join("main", "a", "2")
    made.lose("main")
    ids = [id_ for id_, _ in parse(stream.take_news(PRESENCE))]
    assert len(set(ids)) == 2
    assert None not in ids
    assert stream.take_news(PRESENCE) == b""


def test_an_agent_who_joins_a_queue_is_told_who_calls_there() -> None:
    made, client = QueueWorld("main"), Client()
    made.list("main", "a", "b", members=(("b", "101"),))
    made.join("main", "a", "1", "0301")
    made.join("main", "b", "2", "0302")
    agent = made.person(2, Role.AGENT)
    made.assign("101", None)
    stream, first = begin(made, agent, client, "a", "b")
    client.take(parse(first))
    assert [queue["callers"][0]["callerId"] for queue in client.known.values()] == [None, None]
    made.assign("101", 2)  # a member's device is nobody's no longer: the queue itself differs
    made.put("main", "a", "101")
    client.take(parse(stream.take_news(PRESENCE)))
    assert [queue["callers"][0]["callerId"] for queue in client.known.values()] == ["0301", "0302"]
    made.take("main", "a", "101")
    client.take(parse(stream.take_news(PRESENCE)))
    assert [queue["callers"][0]["callerId"] for queue in client.known.values()] == [None, "0302"]


def test_names_of_any_letters_stay_in_one_line() -> None:
    made, client = QueueWorld("main"), Client()
    name = 'a"b;^\u2028\u00e9\U0001f4de'
    made.list("main", name)
    _, first = begin(made, made.person(1, Role.ADMIN), client, name)
    client.take(parse(first))
    assert client.known["main", name]["name"] == name


class Cuts(RuleBasedStateMachine):
    """An agent and an admin on lines that break after any event."""

    def __init__(self) -> None:
        super().__init__()
        self.world = QueueWorld("main", "second")
        self.people = [self.world.person(1, Role.ADMIN), self.world.person(2, Role.AGENT, "101")]
        self.clients = [Client(), Client()]
        self.streams: list[QueueStream | None] = [None, None]

    @rule(server=st.sampled_from(("main", "second")), queues=st.sets(st.sampled_from("abc")))
    def a_list_is_read(self, server: str, queues: set[str]) -> None:
        self.world.list(server, *sorted(queues), members=tuple((queue, "101") for queue in queues if queue == "a"))

    @rule(server=st.sampled_from(("main", "second")))
    def a_link_is_lost(self, server: str) -> None:
        self.world.lose(server)

    @rule(server=st.sampled_from(("main", "second")), queue=st.sampled_from("abc"), call=st.sampled_from("12"))
    def a_call_comes_or_goes(self, server: str, queue: str, call: str) -> None:
        held = self.world.servers[server].listed
        (self.world.leave if (queue, call) in held._callers else self.world.join)(server, queue, call)

    @rule(queue=st.sampled_from("abc"), number=st.sampled_from(("101", "102")), stays=st.booleans())
    def a_member_comes_or_goes(self, queue: str, number: str, stays: bool) -> None:
        (self.world.put if stays else self.world.take)("main", queue, number)

    @rule(holder=st.sampled_from((None, 1, 2)))
    def an_extension_is_assigned(self, holder: int | None) -> None:
        self.world.assign("101", holder)

    @rule(reader=st.sampled_from((0, 1)), arrived=st.integers(0, 6), cut=st.booleans())
    def the_stream_writes(self, reader: int, arrived: int, cut: bool) -> None:
        stream, client = self.streams[reader], self.clients[reader]
        if stream is None:
            stream, written = begin(self.world, self.people[reader], client, "a", "b")
        else:
            written = stream.take_news(PRESENCE)
        events = parse(written)
        if cut:
            client.take(events[:arrived])
            stream.close()
            self.streams[reader] = None
            return
        client.take(events)
        self.streams[reader] = stream
        scope = self.world.scope(self.people[reader], "a", "b")
        current = {each.key: each for each in scope.snapshot()}
        whole = map(json.loads, map(bytes, self.world.rendering.json(current.values(), scope.memberships())))
        assert client.known == dict(zip(current, whole, strict=True))


def test_a_reader_who_comes_back_knows_what_there_is_wherever_its_line_was_cut() -> None:
    run_state_machine_as_test(
        Cuts,
        settings=settings(
            max_examples=150, stateful_step_count=40, deadline=None, phases=(Phase.generate, Phase.shrink)
        ),
    )
