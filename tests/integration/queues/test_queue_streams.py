"""Queues on a stream, over a real Asterisk with real calls."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from service.web.app_keys import QUEUE_FEED, STREAM_QUOTA
from service.web.queues.events import MAX_NAMES
from tests.integration.queues.readers import STREAM, WITHIN, ask, known, member, pause, reading, unpause, version
from tests.support.events import events
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import call_in, hang_up_all
from tests.support.server import ADMIN, Start


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
