"""An Asterisk that goes and comes back, as long polls and streams of its queues tell it."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from local.asterisk import AsteriskError
from tests.integration.queues.readers import QUEUES, ask, held, known, member, reading
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import MEMBER, call_in
from tests.support.server import ADMIN, Start


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
