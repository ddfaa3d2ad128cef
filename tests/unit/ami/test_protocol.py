"""AMI on the wire: whatever the network does to the bytes, the same calls come in the same order."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from panoramisk.message import Message

from service.ami.actions import AmiAction, DeviceStateList, EventListAction, ExtensionStateList
from service.ami.events import LinkEvents
from service.ami.protocol import MAX_MESSAGE, AmiProtocol
from service.domain.extension_hints import ExtensionHints
from service.domain.models import DeviceState
from service.errors import CallServerUnavailable, Invalid

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
# Written by Asterisk 22.10, but for the names, the glitch with a lone LF, and a header that is Asterisk's to invent.
RECORDED = (
    GREETING + b"Response: Success\r\nActionID: nobody's\r\nMessage: Authentication accepted\r\n\r\n"
    b"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: 93\r\nLastReload: 93\r\nStatus: Fully Booted\r\n\r\n"
    b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: NOT_INUSE\r\n\r\n"
    b"Event: ContactStatus\r\nPrivilege: system,all\r\nURI: sip:1001@127.0.0.1:5090\r\nContactStatus: Reachable\r\n"
    b"AOR: 1001\r\nEndpointName: 1001\r\nRoundtripUsec: 1234\r\n\r\n"
    b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: RINGING\r\n\n"
    b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: INUSE\r\n\r\n"
    + "Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/zoë-☎\r\nState: ONHOLD\r\n\r\n".encode()
    + b"Event: ExtensionStatus\r\nPrivilege: call,all\r\nExten: 1001\r\nContext: ext-local\r\n"
    b"Hint: PJSIP/1001&Custom:DND1001,CustomPresence:1001\r\nStatus: 9\r\nStatusText: InUse&Ringing\r\n\r\n"
    b"Event: ExtensionStatus\r\nPrivilege: call,all\r\nExten: *76\r\nContext: x\r\nHint: \r\nStatus: 4\r\n\r\n"
    b"Event: DeviceStateChange\r\nDevice: PJSIP/1002\r\nState: SOMETHING_NEW\r\nReason: who knows\r\n\r\n"
    b"\r\n\r\nnonsense\r\n\r\n: \r\n\r\n"
    b"Event: Reload\r\nPrivilege: system,all\r\nModule: All\r\nStatus: 0\r\n\r\n"
    b"Event: DeviceStateChange\r\nPrivilege: call,all\r\nDevice: PJSIP/1001\r\nState: UNAVAILABLE\r\n\r\n"
)
CALLS = [
    ("event", "FullyBooted"),
    ("PJSIP/1001", DeviceState.NOT_INUSE),
    ("event", "ContactStatus"),
    ("PJSIP/1001", DeviceState.RINGING),
    ("PJSIP/1001", DeviceState.INUSE),
    ("PJSIP/zoë-☎", DeviceState.ONHOLD),
    ("1001@ext-local", ("PJSIP/1001&Custom:DND1001,CustomPresence:1001", 9)),
    ("*76@x", ("", 4)),
    ("PJSIP/1002", DeviceState.UNKNOWN),
    ("event", "Reload"),
    ("PJSIP/1001", DeviceState.UNAVAILABLE),
]


class Heard:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, object]] = []

    def on_device_state(self, device: str, state: DeviceState) -> None:
        self.calls.append((device, state))

    def on_extension_status(self, number: str, context: str, hint: str, status: int) -> None:
        self.calls.append((f"{number}@{context}", (hint, status)))

    def on_event(self, name: str, message: Message) -> None:
        self.calls.append(("event", name))

    def on_connection_lost(self, why: str) -> None:
        self.calls.append(("lost", why))


class Line(asyncio.Transport):
    """A line whose reads are cut where a test wants them: a real socket cuts where it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.aborted = False
        self.reading = asyncio.Event()
        self.reading.set()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.sent.append(bytes(data))

    def abort(self) -> None:
        self.aborted = True

    def pause_reading(self) -> None:
        self.reading.clear()

    def resume_reading(self) -> None:
        self.reading.set()


def connected() -> tuple[AmiProtocol, Line, Heard]:
    heard, line = Heard(), Line()
    wire = AmiProtocol(heard)
    wire.connection_made(line)
    return wire, line, heard


async def read(wire: AmiProtocol, line: Line, *chunks: bytes) -> None:
    """Deliver chunks as asyncio does: none while reading is paused."""
    for chunk in chunks:
        await line.reading.wait()
        wire.data_received(chunk)
    await line.reading.wait()


def cut(data: bytes, at: list[int]) -> list[bytes]:
    places = [0, *sorted({place % len(data) for place in at}), len(data)]
    return [data[start:end] for start, end in pairwise(places) if start < end]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, len(RECORDED)), max_size=30))
def test_any_chunking_of_a_recorded_stream_gives_the_same_calls_in_order(at: list[int]) -> None:
    async def run() -> list[tuple[str, object]]:
        wire, line, heard = connected()
        await read(wire, line, *cut(RECORDED, at))
        assert wire.greeted.result() == "11.0.0"
        return heard.calls

    assert asyncio.run(run()) == CALLS


HEADERS = ("Event", "Response", "ActionID", "Device", "State", "EndpointName", "URI", "RoundtripUsec", "Presentity",
           "Queue", "Interface", "Uniqueid", "Output", "Message", "Exten", "Context", "Hint", "Status")  # fmt: skip
EVENTS = (
    "DeviceStateChange",
    "ExtensionStatus",
    "ContactStatus",
    "PresenceStateChange",
    "QueueMemberStatus",
    "QueueCallerJoin",
    "Reload",
)
LINES = st.tuples(st.sampled_from(HEADERS), st.sampled_from(("", "1", "9" * 5000, "²", *EVENTS)))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.lists(LINES, max_size=8)), max_size=5))
def test_headers_that_are_missing_repeated_or_no_numbers_break_nothing(
    told: list[tuple[str, list[tuple[str, str]]]],
) -> None:
    async def run() -> None:
        listener = LinkEvents("main", sync=None, deadline=2.0, clock=lambda: 0.0)
        wire, line = AmiProtocol(listener), Line()
        wire.connection_made(line)
        wire.data_received(GREETING)
        for event, lines in told:
            frame = "".join(f"{header}: {value}\r\n" for header, value in [("Event", event), *lines])
            wire.data_received(f"{frame}\r\n".encode())
        assert wire.why_ended is None

    asyncio.run(run())


async def test_byte_by_byte_and_all_at_once_are_the_same() -> None:
    for chunks in ([bytes([byte]) for byte in RECORDED], [RECORDED]):
        wire, line, heard = connected()
        await read(wire, line, *chunks)
        assert heard.calls == CALLS


async def test_two_changes_in_one_read_end_as_the_last() -> None:
    wire, line, heard = connected()
    change = "Event: DeviceStateChange\r\nDevice: PJSIP/1\r\nState: {}\r\n\r\n"
    await read(wire, line, GREETING, (change.format("INUSE") + change.format("NOT_INUSE")).encode())
    assert heard.calls == [("PJSIP/1", DeviceState.INUSE), ("PJSIP/1", DeviceState.NOT_INUSE)]


async def test_a_burst_is_handled_in_slices_in_order() -> None:
    wire, line, heard = connected()
    changes = [f"Event: DeviceStateChange\r\nDevice: PJSIP/{n}\r\nState: INUSE\r\n\r\n" for n in range(1000)]
    wire.data_received(GREETING + "".join(changes).encode())
    assert not line.reading.is_set()
    assert 0 < len(heard.calls) < 1000
    await read(wire, line)
    assert [device for device, _ in heard.calls] == [f"PJSIP/{n}" for n in range(1000)]


@pytest.mark.parametrize(
    "first",
    [b"HTTP/1.1 400 Bad Request\r\n", b"SSH-2.0-x\r\n", b"\r\n", b"\x15\x03\x01", b"Asterisk Call Mangler/1\r\n",
     b"Asterisk Call Manager/" + b"9" * 300],
)  # fmt: skip
async def test_a_peer_that_does_not_speak_ami_is_left(first: bytes) -> None:
    wire, line, heard = connected()
    await read(wire, line, first)
    assert line.aborted
    assert heard.calls == [("lost", "the peer does not speak AMI")]
    with pytest.raises(CallServerUnavailable):
        await wire.greeted


async def test_a_message_without_an_end_ends_the_link_long_before_the_memory_does() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING)
    sent = 0
    while not line.aborted:
        wire.data_received(b"x" * 65536)
        sent += 65536
    assert sent <= MAX_MESSAGE + 2 * 65536
    assert heard.calls == [("lost", f"a message of more than {MAX_MESSAGE} bytes")]


async def test_a_header_of_10_mb_in_one_read_ends_the_link() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING, b"Event: X\r\nY: " + b"z" * (10 << 20) + b"\r\n\r\n")
    assert line.aborted
    assert [name for name, _ in heard.calls] == ["lost"]


async def test_after_the_end_nothing_is_told_any_more() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING)
    wire.end("enough")
    await read(wire, line, RECORDED)
    wire.connection_lost(None)
    assert heard.calls == [("lost", "enough")]
    with pytest.raises(CallServerUnavailable, match="enough"):
        await wire.send(AmiAction({"Action": "Ping"}), 1)


async def test_the_end_fails_whatever_waits_for_an_answer() -> None:
    wire, line, _ = connected()
    await read(wire, line, GREETING)
    asking = asyncio.create_task(wire.send(AmiAction({"Action": "Ping"}), 10))
    await asyncio.sleep(0)
    wire.connection_lost(ConnectionResetError("reset"))
    with pytest.raises(CallServerUnavailable, match="reset"):
        await asking
    assert not wire.responses


async def test_an_answer_after_its_deadline_disturbs_nobody() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING)
    request = AmiAction({"Action": "Ping"})
    with pytest.raises(CallServerUnavailable, match="no answer to Ping"):
        await wire.send(request, 0.01)
    assert not wire.responses
    await read(wire, line, f"Response: Success\r\nActionID: {request.id}\r\nPing: Pong\r\n\r\n".encode())
    assert heard.calls == []


async def test_a_list_gathers_its_items_and_leaves_events_between_them_alone() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING)
    request = DeviceStateList()
    asking = asyncio.create_task(wire.send(request, 10))
    await asyncio.sleep(0)
    item = "Event: DeviceStateChange\r\nActionID: {}\r\nDevice: {}\r\nState: {}\r\n\r\n"
    await read(
        wire, line,
        f"Response: Success\r\nActionID: {request.id}\r\nEventList: start\r\nMessage: follows\r\n\r\n".encode(),
        item.format(request.id, "PJSIP/1", "INUSE").encode(),
        item.format("another", "PJSIP/2", "INUSE").encode(),
        b"Event: DeviceStateChange\r\nDevice: PJSIP/3\r\nState: BUSY\r\n\r\n",
        item.format(request.id, "PJSIP/4", "NOT_INUSE").encode(),
        f"Event: DeviceStateListComplete\r\nActionID: {request.id}\r\nEventList: Complete\r\n\r\n".encode(),
    )  # fmt: skip
    await asking
    assert request.states == {"PJSIP/1": DeviceState.INUSE, "PJSIP/4": DeviceState.NOT_INUSE}
    assert heard.calls == [("PJSIP/3", DeviceState.BUSY)]


@pytest.mark.parametrize("evil", ["a\r\nAction: Command", "a\nb", "a\rb", "a\0b", "\r", "\n"])
def test_a_value_that_would_be_another_action_is_refused(evil: str) -> None:
    async def run() -> None:
        for headers in ({"Action": "Getvar", "Variable": evil}, {"Action": "Getvar", evil: "x"}):
            with pytest.raises(Invalid):
                AmiAction(headers)

    asyncio.run(run())


async def test_a_list_of_hints_gathers_its_items_and_leaves_events_and_other_lists_alone() -> None:
    wire, line, heard = connected()
    await read(wire, line, GREETING)
    listed = ExtensionHints().begin_snapshot()
    hints, other = ExtensionStateList(listed), EventListAction("ExtensionStateList", ("ExtensionStatus",))
    asking = asyncio.gather(wire.send(hints, 10), wire.send(other, 10))
    await asyncio.sleep(0)
    item = "Event: ExtensionStatus\r\n{}Exten: {}\r\nContext: x\r\nHint: PJSIP/{}\r\nStatus: {}\r\n{}\r\n"
    text = "StatusText: Idle\r\n"
    last = "Event: ExtensionStateListComplete\r\nActionID: {}\r\nEventList: Complete\r\n\r\n"
    await read(
        wire, line,
        item.format(f"ActionID: {hints.id}\r\n", 1, 1, 0, text).encode(),
        item.format("ActionID: another\r\n", 2, 2, 0, text).encode(),
        item.format("", 3, 3, 1, text).encode(),
        item.format(f"ActionID: {other.id}\r\n", 4, 4, 0, text).encode(),
        item.format(f"ActionID: {hints.id}\r\n", 5, 5, "x", "").encode(),
        last.format(hints.id).encode() + last.format(other.id).encode(),
    )  # fmt: skip
    await asking
    assert listed.texts == {"1": {"x": "PJSIP/1"}, "5": {"x": "PJSIP/5"}}
    assert listed.statuses == {("1", "x"): 0, ("5", "x"): -1}
    assert [message.exten for message in other.items_collected] == ["4"]
    assert heard.calls == [("event", "ExtensionStatus"), ("3@x", ("PJSIP/3", 1))]
