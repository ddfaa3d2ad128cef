"""Peers that are no AMI, or break it in ways that a real Asterisk cannot be made to: the link is never fooled."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from service.ami import client, connection, contact_sync, endpoint_tracker
from service.ami.accounts import Account
from service.ami.link import Link
from service.domain.models import DeviceState
from service.runtime.task_supervisor import Supervisor
from tests.support.eventually import eventually
from tests.support.links import impatient, live, told
from tests.support.scripted import (
    GREETING,
    USUAL,
    Action,
    Line,
    device_state,
    device_states,
    listing,
    message,
    peer,
    success,
)
from tests.support.stored import stored_extension

DEVICE = "Custom:fußgänger"
STATES_BY_NUMBER = {f"Custom:{number}": "INUSE" for number in range(3)}


class Linked:
    """A link to a port, until the block ends; it must not have ended by itself."""

    def __init__(self, port: int, want: str | None = None, deadline: float = 2.0) -> None:
        self.link = Link(
            "scripted", Account("127.0.0.1", port, "monitor", "secret"), deadline=deadline, delays=impatient
        )
        self.link.follow([stored_extension(want)] if want else [], set())

    async def __aenter__(self) -> Link:
        self._supervisor = Supervisor()
        self._supervisor.start("the link under test", self.link.run())
        return self.link

    async def __aexit__(self, *_: object) -> None:
        async with asyncio.timeout(30), self._supervisor:
            pass
        assert not self._supervisor.failed.done()


async def failed(link: Link, why: str) -> None:
    """Wait until the link failed because of `why`, and failed again: it goes on trying and is never live."""
    await eventually(lambda: why in str(link.facts.why_ended) and link.facts.failures >= 2, what=why)
    assert link.facts.resynchronisations == 0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlines of a fraction of a second."""
    for module, name in ((connection, "CONNECT_DEADLINE"), (client, "LOGIN_DEADLINE"), (client, "LIST_DEADLINE")):
        monkeypatch.setattr(module, name, 0.3)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize(
    ("said", "why"),
    [
        (b"", "no greeting"),
        (b"Asterisk Call Man", "no greeting"),
        (GREETING, "no answer to Login"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak AMI"),
        (b"\x16\x03\x01\x00\xff\xfe" * 100, "does not speak AMI"),
        (b"Asterisk Call Manager/" + b"9" * 300, "does not speak AMI"),
        (GREETING + b"X: " + b"y" * 10_000_000, "a message of more than"),
        (GREETING + b"Event: X\r\n" * 1_000_000, "a message of more than"),
        (GREETING + bytes(range(256)) * 1000 + b"\r\n\r\n" * 5, "no answer to Login"),
    ],
    ids=["nothing", "half a greeting", "a greeting", "http", "tls", "long greeting", "10 MB", "10 MB lines", "garbage"],
)
async def test_a_peer_that_is_no_asterisk_is_left(said: bytes, why: str) -> None:
    async def serve(line: Line) -> None:
        line.say(said)
        await asyncio.sleep(60)

    async with peer(serve) as port, Linked(port) as link:
        await failed(link, why)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("action", ["ExtensionStateList", "DeviceStateList", "PresenceStateList", "Ping"])
async def test_a_peer_that_answers_all_but_one_action_is_never_live(action: str) -> None:
    async with peer(lambda line: line.behave({action: lambda _: b""})) as port, Linked(port, deadline=0.3) as link:
        await failed(link, f"no answer to {action}")


@pytest.mark.usefixtures("hasty")
async def test_a_list_that_never_ends_is_never_live() -> None:
    def half(action: Action) -> bytes:
        return device_states({DEVICE: "INUSE"})(action).partition(b"Event: DeviceStateListComplete")[0]

    async with peer(lambda line: line.behave({"DeviceStateList": half})) as port, Linked(port) as link:
        await failed(link, "no answer to DeviceStateList")


async def test_a_list_is_given_up_when_the_line_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LIST_SILENCE", 0.3)
    async with peer(lambda line: line.behave({"DeviceStateList": lambda _: b""})) as port, Linked(port) as link:
        await failed(link, "no answer to DeviceStateList, and nothing else for 0.3 s")


async def test_a_list_that_takes_longer_than_a_silence_is_taken_as_long_as_it_grows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(client, "LIST_SILENCE", 0.5)
    loop = asyncio.get_running_loop()

    async def serve(line: Line) -> None:
        def slowly(action: Action) -> bytes:
            for number, part in enumerate(device_states(STATES_BY_NUMBER)(action).splitlines(keepends=True)):
                loop.call_later(0.1 * number, line.say, part)
            return b""

        await line.behave({"DeviceStateList": slowly})

    async with peer(serve) as port, Linked(port) as link:
        await live(link)
        assert told(link) == STATES_BY_NUMBER
        assert link.facts.failures == 0


@pytest.mark.usefixtures("hasty")
async def test_a_list_of_queues_that_never_ends_leaves_the_link_live_and_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("service.ami.queue_sync.RETRY_DELAY", 0.2)
    whole = False

    def queues(action: Action) -> bytes:
        answer = listing(action, message("Event: QueueParams", "Queue: sales", action=action))
        return answer if whole else answer.rpartition(b"Event:")[0]

    async with peer(lambda line: line.behave({"QueueStatus": queues})) as port, Linked(port) as link:
        await live(link)
        await eventually(lambda: "no answer to QueueStatus" in str(link._queue_sync._reported_problem))
        assert link.states.current
        assert link.queues is None
        whole = True
        await eventually(lambda: link.queues is not None and "sales" in link.queues)
        assert link.facts.failures == 0


STATES = device_states({DEVICE: "INUSE", "Custom:other": "BUSY"})


def in_pieces(data: bytes) -> Iterator[bytes]:
    """One byte each: every character and every line end is torn."""
    return (data[at : at + 1] for at in range(len(data)))


async def test_torn_characters_and_single_line_ends_lose_nothing() -> None:
    async def serve(line: Line) -> None:
        line.say(GREETING)
        while True:
            action = await line.action()
            reply = (USUAL | {"DeviceStateList": STATES}).get(action["Action"], success)
            for piece in in_pieces(reply(action).replace(b"\r\n\r\n", b"\r\n\n")):
                line.say(piece)
                await asyncio.sleep(0)

    async with peer(serve) as port, Linked(port) as link:
        await live(link)
        assert told(link) == {DEVICE: "INUSE", "Custom:other": "BUSY"}


async def test_characters_that_are_none_harm_only_their_own_device() -> None:
    def listed(action: Action) -> bytes:
        odd = device_state("Custom:@", "INUSE", action).replace(b"@", b"\xc3\x28\xff\xf0\x9f")
        head, complete, tail = STATES(action).partition(b"Event: DeviceStateListComplete")
        return head + odd + complete + tail

    async with peer(lambda line: line.behave({"DeviceStateList": listed})) as port, Linked(port) as link:
        await live(link)
        assert told(link).items() >= {DEVICE: "INUSE", "Custom:other": "BUSY"}.items()


async def test_a_pong_in_one_read_with_a_shutdown_makes_nothing_live() -> None:
    replies = {"DeviceStateList": STATES, "Ping": lambda action: success(action) + message("Event: Shutdown")}
    async with peer(lambda line: line.behave(replies)) as port, Linked(port) as link:
        await eventually(lambda: link.facts.failures >= 3)
        assert link.facts.resynchronisations == 0
        assert len(link.states) == 0


CONTACT = "sip:200@192.0.2.1:5060"


def contact_status(endpoint: str, status: str) -> bytes:
    return message(
        "Event: ContactStatus",
        f"URI: {CONTACT}",
        f"ContactStatus: {status}",
        f"AOR: {endpoint}",
        f"EndpointName: {endpoint}",
        "RoundtripUsec: 0",
    )


@pytest.mark.parametrize("behind", ["DEVICE_STATE(PJSIP/200)", "PJSIP_AOR(200,contact)", "DBGetTree"])
async def test_a_contact_in_one_read_with_the_answer_that_there_is_none_is_not_overlooked(
    behind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Asterisk answers that nobody is there, the phone registers, and both are read at once: nothing is assumed."""
    monkeypatch.setattr(endpoint_tracker, "QUALIFY_WAIT", 0.1)
    monkeypatch.setattr(endpoint_tracker, "RETRY_DELAY", 0.1)
    monkeypatch.setattr(contact_sync, "MAX_SINGLE_READS", 0 if behind == "DBGetTree" else 1)
    asked: list[str] = []

    def getvar(action: Action) -> bytes:
        asked.append(expression := action["Variable"])
        values = {"DEVICE_STATE(PJSIP/200)": "UNAVAILABLE", "PJSIP_AOR(200,max_contacts)": "1"}
        if behind in (*asked[:-1], "DBGetTree"):
            values["PJSIP_AOR(200,contact)"] = "200;@1"
        answer = message("Response: Success", f"Value: {values.get(expression, '')}", action=action)
        return answer + contact_status("200", "NonQualified") if expression == behind else answer

    def tree(action: Action) -> bytes:
        return listing(action) + contact_status("200", "NonQualified")

    replies = {"Getvar": getvar, "DBGetTree": tree if behind == "DBGetTree" else listing}
    async with peer(lambda line: line.behave(replies)) as port, Linked(port, want="200") as link:
        await live(link)
        await eventually(lambda: asked.count("DEVICE_STATE(PJSIP/200)") >= 3)
        assert link.states.get("PJSIP/200") is None


async def test_what_is_read_of_contacts_does_not_outdo_what_is_told_meanwhile() -> None:
    """A contact goes while the endpoint is read: Asterisk tells so before its last, older answer."""

    def getvar(action: Action) -> bytes:
        what = action["Variable"].rstrip(")").rpartition(",")[2]
        values = {"max_contacts": "1", "contact": "200;@old", "uri": CONTACT, "status": "Reachable"}
        answer = message("Response: Success", f"Value: {values.get(what, '')}", action=action)
        return contact_status("200", "Removed") + answer if what == "expiration_time" else answer

    replies = {"Getvar": getvar, "DeviceStateList": device_states({"PJSIP/200": "NOT_INUSE"})}
    async with peer(lambda line: line.behave(replies)) as port, Linked(port, want="200") as link:
        await eventually(lambda: link.contacts_of("200") is not None)
        assert link.contacts_of("200") == ()


async def test_a_state_that_nobody_knows_is_unknown() -> None:
    replies = {"DeviceStateList": device_states({DEVICE: "ON_FIRE"})}
    async with peer(lambda line: line.behave(replies)) as port, Linked(port) as link:
        await live(link)
        assert link.states.read(DEVICE).state is DeviceState.UNKNOWN


async def test_a_link_that_is_told_to_end_while_its_line_ends_does_so() -> None:
    """As when both are stopped at once: the group of its tasks then ends with errors, not with the cancellation."""
    async with peer(lambda line: line.behave({})) as port, Linked(port) as link:
        await live(link)
        assert link._connection is not None
        link._connection.end("Asterisk is shutting down")


@pytest.mark.parametrize("told_again", [False, True])
async def test_a_contact_that_goes_while_it_is_read_is_no_registration(told_again: bool) -> None:
    """Its id was told, then it went: nothing can be read of it, and what went is told by another name, its URI."""
    gone = message("Event: ContactStatus", "URI: sip:200@192.0.2.1", "EndpointName: 200", "ContactStatus: Removed")
    asked: list[str] = []

    def getvar(action: Action) -> bytes:
        expression = action["Variable"]
        asked.append(expression)
        first = asked.count("PJSIP_AOR(200,contact)") == 1
        value = {
            "DEVICE_STATE(PJSIP/200)": "UNAVAILABLE",
            "PJSIP_AOR(200,max_contacts)": "1",
            "PJSIP_AOR(200,contact)": "200;@1" if first or told_again else "",
        }.get(expression, "")
        event = gone if expression == "PJSIP_CONTACT(200;@1,uri)" and not told_again else b""
        answer = message("Response: Success", f"Variable: {expression}", f"Value: {value}", action=action)
        return event + answer

    replies = {"Getvar": getvar, "DeviceStateList": device_states({"PJSIP/200": "UNAVAILABLE"})}
    async with peer(lambda line: line.behave(replies)) as port, Linked(port, want="200") as link:
        await live(link)
        contacts = await eventually(lambda: (found := link.contacts_of("200")) is not None and [found])
        assert [contact.uri for contact in contacts[0]] == (["200;@1"] if told_again else [])
