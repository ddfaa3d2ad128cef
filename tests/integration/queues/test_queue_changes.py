"""Queues by cursor, by long poll and on a stream, over a real Asterisk with real calls."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from aiohttp import ClientResponse

from local.asterisk import AsteriskError
from service.web.app_keys import LONG_POLL_QUOTA, QUEUE_FEED, STREAM_QUOTA
from service.web.queues.events import MAX_NAMES
from tests.support.ami import Ami
from tests.support.events import events
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import MEMBER, call_in, hang_up_all
from tests.support.server import ADMIN, Server, Start

QUEUES, PRESENCE, STREAM = "/api/v1/queues", "/api/v1/presence", "/api/v1/presence/stream"
WITHIN = 20.0
Queue = dict[str, Any]


async def ask(server: Server, path: str = QUEUES, who: dict[str, str] = ADMIN, **query: str) -> dict[str, Any]:
    answer = await server.client.get(path, params=query, headers=who)
    body: dict[str, Any] = await answer.json()
    assert answer.status == 200, body
    return body


async def known(server: Server) -> dict[str, Any]:
    """The snapshot, once Asterisk's list has been read."""
    await eventually(lambda: server.link.queues is not None and len(server.link.queues) == 1, WITHIN)
    body = await ask(server)
    assert (body["full"], [queue["name"] for queue in body["queues"]]) == (True, ["demo"])
    return body


async def told_live(server: Server) -> bool:
    """Whether all is known of each extension: a link becomes live before it knows all states, or who is registered."""
    items = (await ask(server, PRESENCE))["presence"]
    return all(item["live"] and item["registered"] is not None for item in items)


def member(queue: Queue, extension: str = "12343") -> Queue:
    found: Queue = next(each for each in queue["members"] if each["extension"] == extension)
    return found


def version(server: Server) -> int:
    """The number of the newest change."""
    server.app[QUEUE_FEED].catch_up()
    return server.app[QUEUE_FEED].version


async def pause(ami: Ami, reason: str, interface: str = MEMBER) -> None:
    await ami.ask("QueuePause", Interface=interface, Paused="true", Reason=reason)


async def unpause(ami: Ami, interface: str = MEMBER) -> None:
    await ami.ask("QueuePause", Interface=interface, Paused="false")


async def held(server: Server, poll: Awaitable[ClientResponse]) -> asyncio.Task[ClientResponse]:
    """A long poll that is held."""
    task = asyncio.ensure_future(poll)
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 1)
    return task


class Reader:
    """Reads the stream as a browser does. `queues` is what it was told of them, `ids` the ids of all events."""

    def __init__(self, answer: ClientResponse) -> None:
        self.answer = answer
        self.queues: dict[str, Queue] = {}
        self.names: list[str] = []
        self.ids: list[str] = []

    async def next(self) -> tuple[str, dict[str, Any]]:
        name, data = "", ""
        async with asyncio.timeout(WITHIN):
            while line := (await self.answer.content.readline()).decode():
                field, _, value = line.rstrip("\n").partition(": ")
                if field == "event":
                    name = value
                elif field == "id":
                    self.ids.append(value)
                elif field == "data":
                    data = value
                elif line == "\n" and data:
                    break
        assert data, "the stream ended"
        body = json.loads(data)
        self.names.append(name)
        if name == "queue":
            self.queues[body["name"]] = body
        return name, body

    async def until(self, holds: Any) -> Queue:
        """Read until it holds of the last event about the demo's queue."""
        while True:
            name, body = await self.next()
            if name == "queue" and holds(body):
                return body


@asynccontextmanager
async def reading(
    server: Server, query: str = "?queues=demo&extension=12342", who: dict[str, str] = ADMIN
) -> AsyncIterator[Reader]:
    async with server.client.get(STREAM + query, headers=who) as answer:
        assert answer.status == 200, await answer.text()
        yield Reader(answer)


async def test_one_cursor_serves_both_and_each_call_moves_its_own_part(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await eventually(lambda: told_live(server), WITHIN, "presence tells nothing new of its own")
    before = await known(server)
    of_presence = await ask(server, PRESENCE, since=before["cursor"])
    assert of_presence["full"] is True, "a cursor of queues says nothing of presence"
    both = of_presence["cursor"]
    nobody = {"since": both, "extension": "nobody"}
    assert await ask(server, PRESENCE, **nobody) == {"success": True, "full": False, "cursor": both, "presence": []}
    assert await ask(server, since=both) == {"queues": [], "full": False, "cursor": both, "success": True}
    async with supervising(stormy) as ami:
        await pause(ami, "lunch")
        await eventually(lambda: version(server) > 1)
        moved = (await ask(server, PRESENCE, since=both))["cursor"]
        assert moved.partition("-q")[2] == both.partition("-q")[2], "presence moves its own part"
        changed = await ask(server, since=both)
        assert (changed["full"], [member(queue)["pausedReason"] for queue in changed["queues"]]) == (False, ["lunch"])
        await stormy.database.execute("update extensions set enabled = false where extension = '12342'")
        try:
            gone = await ask(server, PRESENCE, since=changed["cursor"], wait="10")
            assert [item["extension"] for item in gone["presence"]] == ["12342"]
            assert gone["cursor"] != changed["cursor"]
            assert gone["cursor"].partition("-q")[2] == changed["cursor"].partition("-q")[2]
        finally:
            await stormy.database.execute("update extensions set enabled = true where extension = '12342'")
        await unpause(ami)


async def test_a_cursor_that_does_not_count_gets_the_snapshot(stormy: Pbx, start: Start) -> None:
    one, other = await start(stormy.settings()), await start(stormy.settings())
    ours, theirs = await known(one), await known(other)
    of_presence = (await ask(one, PRESENCE))["cursor"]
    for cursor in (theirs["cursor"], of_presence, ours["cursor"] + "0", "made up", "-q1", of_presence + "-q9m01234567"):
        answer = await ask(one, since=cursor)
        assert (answer["full"], answer["queues"]) == (True, ours["queues"]), cursor
    assert (await ask(one, since=of_presence))["cursor"].startswith(of_presence + "-q")


async def test_a_long_poll_ends_with_the_change_and_not_before(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    cursor = (await known(server))["cursor"]
    assert await ask(server, since=cursor, wait="0.2") == {
        "queues": [],
        "full": False,
        "cursor": cursor,
        "success": True,
    }
    async with supervising(stormy) as ami:
        for change, shown in (
            (pause(ami, 'tea; "x"'), lambda each: each["pausedReason"] == 'tea; "x"'),
            (unpause(ami), lambda each: not each["paused"]),
            (ami.ask("QueuePenalty", Interface=MEMBER, Penalty="7"), lambda each: each["penalty"] == 7),
            (ami.ask("QueuePenalty", Interface=MEMBER, Penalty="0"), lambda each: each["penalty"] == 0),
        ):
            poll = await held(server, server.client.get(QUEUES, params={"since": cursor, "wait": "20"}, headers=ADMIN))
            await change
            async with asyncio.timeout(WITHIN):
                body = await (await poll).json()
            assert [shown(member(queue)) for queue in body["queues"]] == [True], body
            cursor = body["cursor"]
        poll = await held(server, server.client.get(QUEUES, params={"since": cursor, "wait": "20"}, headers=ADMIN))
        await call_in(ami)
        async with asyncio.timeout(WITHIN):
            (queue,) = (await (await poll).json())["queues"]
        assert [caller["position"] for caller in queue["callers"]] == [1]
        await hang_up_all(ami)


async def test_a_long_poll_with_a_tag_ends_when_the_tag_differs(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await known(server)
    tag = (await server.client.get(QUEUES, headers=ADMIN)).headers["ETag"]
    conditional = {**ADMIN, "If-None-Match": tag}
    assert (await server.client.get(QUEUES, params={"wait": "0.2"}, headers=conditional)).status == 304
    async with supervising(stormy) as ami:
        poll = await held(server, server.client.get(QUEUES, params={"wait": "20"}, headers=conditional))
        await pause(ami, "lunch")
        async with asyncio.timeout(WITHIN):
            answer = await poll
        assert (answer.status, (await answer.json())["full"]) == (200, True)
        assert answer.headers["ETag"] != tag
        await unpause(ami)


async def test_a_token_that_ends_ends_its_long_polls_and_streams(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    cursor = (await known(server))["cursor"]
    agent = await server.headers_of()
    cursor = (await ask(server, who=agent))["cursor"]
    tag = (await server.client.get(QUEUES, headers=agent)).headers["ETag"]
    by_cursor = await held(server, server.client.get(QUEUES, params={"since": cursor, "wait": "25"}, headers=agent))
    by_tag = asyncio.ensure_future(
        server.client.get(QUEUES, params={"wait": "25"}, headers={**agent, "If-None-Match": tag})
    )
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 2)
    async with reading(server, who=agent) as reader:
        await reader.until(lambda queue: queue["name"] == "demo")
        await stormy.database.execute("delete from tokens where user_id = 1795")
        async with asyncio.timeout(WITHIN):
            assert await (await by_cursor).json() == {"queues": [], "full": False, "cursor": cursor, "success": True}
            assert (await by_tag).status == 401
            while await reader.answer.content.readline():
                pass
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == len(server.app[STREAM_QUOTA]) == 0)
    assert len(server.app[QUEUE_FEED].subscriptions) == 0


async def test_a_killed_asterisk_is_told_at_once_and_its_return_too(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings(watchdog_deadline=2.0))
    cursor = (await known(server))["cursor"]
    gone = {"name": "demo", "callServer": "main", "live": False, "removed": True}
    async with reading(server) as reader:
        await reader.until(lambda queue: len(queue["members"]) == 2)
        poll = await held(server, server.client.get(QUEUES, params={"since": cursor, "wait": "25"}, headers=ADMIN))
        stormy.asterisk.kill()
        async with asyncio.timeout(3.0):
            answer = await poll
        body = await answer.json()
        assert (answer.status, body["queues"], answer.headers["X-State-Live"]) == (200, [gone], "false")
        assert await reader.until(lambda queue: queue.get("removed")) == gone
        assert "link" in reader.names
        assert (await server.client.get(QUEUES, headers=ADMIN)).status == 503
        assert (await ask(server, since=body["cursor"]))["queues"] == []
        poll = await held(
            server, server.client.get(QUEUES, params={"since": body["cursor"], "wait": "30"}, headers=ADMIN)
        )
        await asyncio.to_thread(stormy.asterisk.start)
        async with asyncio.timeout(30):
            back = await (await poll).json()
        assert (back["full"], [queue["name"] for queue in back["queues"]]) == (False, ["demo"])
        await reader.until(lambda queue: len(queue.get("members", ())) == 2)


async def test_a_restarted_asterisk_is_told_as_lost_and_as_back(stormy: Pbx, start: Start) -> None:
    """Its calls are gone, and so is a penalty that only AMI had set."""
    server = await start(stormy.settings())
    await known(server)
    async with reading(server) as reader:
        async with supervising(stormy) as ami:
            await ami.ask("QueuePenalty", Interface=MEMBER, Penalty="5")
            await call_in(ami)
            await reader.until(lambda queue: len(queue["callers"]) == 1 and member(queue)["penalty"] == 5)
        last = reader.ids[-1]
        ordered = asyncio.create_task(asyncio.to_thread(stormy.asterisk.rx, "core restart now"))
        gone = await reader.until(lambda queue: queue.get("removed"))
        assert gone["live"] is False
        with suppress(AsteriskError):  # its answer does not always come
            await ordered
        await eventually(lambda: not stormy.asterisk.is_running())  # under the loader it cannot start itself anew
        await asyncio.to_thread(stormy.asterisk.start)
        back = await reader.until(lambda queue: len(queue.get("members", ())) == 2)
        assert (back["callers"], member(back)["penalty"]) == ([], 0)
    async with reading(server, "?queues=demo", {**ADMIN, "Last-Event-ID": last}) as reader:
        missed = await reader.until(lambda _: True)
        assert (missed["callers"], "snapshot" in reader.names) == ([], False)


async def test_a_reader_that_does_not_read_is_told_the_newest_and_no_backlog(stormy: Pbx, start: Start) -> None:
    """Each change takes 200 KB on the line. The kernel holds some of them, this process no more than one."""
    server = await start(stormy.settings())
    await known(server)
    assert server.link.queues is not None
    (first, *_) = server.link.queues.contents()["demo"].members
    async with events(server.port, query="?queues=demo&extension=nobody", receive_buffer=4096) as reader:
        await eventually(lambda: len(server.app[QUEUE_FEED].subscriptions) == 1)
        for penalty in range(300):
            before = server.app[QUEUE_FEED].version
            server.link.queues.member("demo", replace(first, name="x" * 200_000, penalty=penalty))
            server.link.queues_changed()
            await eventually(lambda: server.app[QUEUE_FEED].version > before)  # noqa: B023
        penalties: list[int] = []
        async with asyncio.timeout(WITHIN):
            while not penalties or penalties[-1] != 299:
                await reader.block()
                penalties = [each["members"][0]["penalty"] for each in reader.queues]
    assert len(penalties) < 100, penalties


async def test_a_stream_tells_each_change_and_goes_on_where_its_reader_was(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await known(server)
    async with supervising(stormy) as ami:
        async with reading(server, "?queues=other,demo&queues=demo") as reader:
            whole = await reader.until(lambda _: True)
            assert whole == (await ask(server))["queues"][0], "as the API renders it"
            await call_in(ami)
            await reader.until(lambda queue: len(queue["callers"]) == 1)
            await pause(ami, "lunch")
            await reader.until(lambda queue: member(queue)["pausedReason"] == "lunch")
            last = reader.ids[-1]
        await unpause(ami)
        await hang_up_all(ami)
        await eventually(lambda: server.link.queues is not None and server.link.queues.waiting == 0, WITHIN)
        async with reading(server, "?queues=demo", {**ADMIN, "Last-Event-ID": last}) as reader:
            missed = await reader.until(lambda queue: not queue["callers"] and not member(queue)["paused"])
            assert "snapshot" not in reader.names
            last = reader.ids[-1]
        async with reading(server, "?queues=demo", {**ADMIN, "Last-Event-ID": last}) as reader:
            await pause(ami, "again")
            assert member(await reader.until(lambda _: True))["pausedReason"] == "again", "nothing is told twice"
            await unpause(ami)
        for id_ in ("made up", last.partition("-q")[0]):
            async with reading(server, "?queues=demo", {**ADMIN, "Last-Event-ID": id_}) as reader:
                await reader.until(lambda queue: queue["callers"] == missed["callers"])
                assert reader.names[:2] == ["snapshot", "queue"], id_


async def test_a_stream_that_does_not_ask_for_queues_is_not_told_of_them(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await known(server)
    async with supervising(stormy) as ami, reading(server, "") as reader, reading(server, "?queues=other") as other:
        await reader.next()
        await other.next()
        before = version(server)
        await pause(ami, "lunch")
        await eventually(lambda: version(server) > before)
        await unpause(ami)
        await stormy.database.execute("update extensions set enabled = false where extension = '12342'")
        try:
            for each in (reader, other):
                while (await each.next())[0] != "change":
                    pass
                assert "queue" not in each.names
            assert "-q" not in "".join(reader.ids)
        finally:
            await stormy.database.execute("update extensions set enabled = true where extension = '12342'")


async def test_an_agent_is_told_who_calls_once_it_is_a_member(stormy: Pbx, start: Start) -> None:
    for step in ("1,Set(CALLERID(num)=${EXTEN})", "2,Answer()", "3,Queue(demo)"):
        await asyncio.to_thread(stormy.asterisk.rx, f"dialplan add extension _X.,{step} into calling")
    server = await start(stormy.settings())
    await known(server)
    agent = await server.headers_of()
    async with supervising(stormy) as ami, reading(server, who=agent) as reader:
        await stormy.database.execute("update extensions set user_id = null where extension = '12342'")
        try:
            await reader.until(lambda queue: member(queue, "12342")["userId"] is None)
            cursor = (await ask(server, who=agent))["cursor"]
            await ami.ask(
                "Originate",
                Channel="Local/0304444@calling",
                Context="extensions",
                Exten="*43",
                Priority="1",
                Async="true",
            )
            told = await reader.until(lambda queue: queue["callers"])
            assert [caller["callerId"] for caller in told["callers"]] == [None]
            assert (await ask(server, since=cursor, who=agent))["full"] is False
        finally:
            await stormy.database.execute("update extensions set user_id = 1795 where extension = '12342'")
        told = await reader.until(lambda queue: member(queue, "12342")["userId"] is not None)
        assert [caller["callerId"] for caller in told["callers"]] == ["0304444"]
        answer = await ask(server, since=cursor, who=agent)
        assert answer["full"] is True, "who sees other callers than before gets the snapshot"
        await hang_up_all(ami)


@pytest.mark.parametrize("query", ["?queues=demo", "?queues=" + ",".join(map(str, range(MAX_NAMES + 1)))])
async def test_a_stream_with_queues_is_for_those_who_may_see_them_and_has_a_bound(
    stormy: Pbx, start: Start, query: str
) -> None:
    server = await start(stormy.settings())
    of_client = await server.headers_of(1797, "hT5rLwQ8vKz2fYj6N")
    assert (await server.client.get(STREAM + query, headers=of_client)).status == 403
    if query != "?queues=demo":
        answer = await server.client.get(STREAM + query, headers=ADMIN)
        assert (answer.status, (await answer.json())["error"]) == (
            400,
            f"Match error: Expected at most {MAX_NAMES} names in field queues",
        )
    assert len(server.app[STREAM_QUOTA]) == 0
