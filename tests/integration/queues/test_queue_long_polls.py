"""Long polls of queues, over a real Asterisk with real calls."""

from __future__ import annotations

import asyncio

from service.web.app_keys import LONG_POLL_QUOTA, QUEUE_FEED, STREAM_QUOTA
from tests.integration.queues.readers import QUEUES, WITHIN, ask, held, known, member, pause, reading, unpause
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import MEMBER, call_in, hang_up_all
from tests.support.server import ADMIN, Start


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
            assert (await by_cursor).status == (await by_tag).status == 401
            while await reader.answer.content.readline():
                pass
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == len(server.app[STREAM_QUOTA]) == 0)
    assert len(server.app[QUEUE_FEED].subscriptions) == 0
