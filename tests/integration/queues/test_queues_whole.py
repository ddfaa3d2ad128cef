"""`GET /api/v1/queues` over a real Asterisk with real calls: who waits since when, and who could take the call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from service.cli.demo import SECOND_SIP_PASSWORD
from tests.support.ami import Ami
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import IN_TIME, MEMBER, hang_up_all
from tests.support.server import ADMIN, Server, Start

QUEUES = "/api/v1/queues"
Queue = dict[str, Any]
A_MOMENT = timedelta(seconds=2)
"""Asterisk tells times in whole seconds."""


async def read(server: Server, who: dict[str, str] = ADMIN) -> Queue:
    """The demo's only queue."""
    answer = await server.client.get(QUEUES, headers=who)
    body = await answer.json()
    assert (answer.status, answer.headers["X-State-Live"], body["success"]) == (200, "true", True), body
    (queue,) = body["queues"]
    found: Queue = queue
    return found


async def shows(server: Server, what: str, holds: Callable[[Queue], bool]) -> Queue:
    """Wait until it holds of the demo's queue."""

    async def there() -> bool:
        answer = await server.client.get(QUEUES, headers=ADMIN)
        return answer.status == 200 and holds((await answer.json())["queues"][0])

    await eventually(there, IN_TIME, what)
    return await read(server)


def member(queue: Queue, extension: str = "12343") -> Queue:
    found: Queue = next(each for each in queue["members"] if each["extension"] == extension)
    return found


def numbers(queue: Queue) -> list[str | None]:
    return [caller["callerId"] for caller in queue["callers"]]


async def call_as(ami: Ami, number: str) -> None:
    """A call of nobody's phone that waits in the demo's queue."""
    answer = await ami.ask(
        "Originate", Channel=f"Local/{number}@waiting", Context="extensions", Exten="*43", Priority="1", Async="true"
    )
    assert answer["Response"] == "Success", answer


async def test_who_waits_since_when_and_who_could_take_the_call(stormy: Pbx, start: Start) -> None:
    for step in ("1,Set(CALLERID(num)=${EXTEN})", "2,Answer()", "3,Queue(demo)"):
        await asyncio.to_thread(stormy.asterisk.rx, f"dialplan add extension _X.,{step} into waiting")
    server = await start(stormy.settings())
    began = datetime.now(UTC) - A_MOMENT
    async with supervising(stormy) as ami:
        idle = await shows(server, "two members", lambda queue: len(queue["members"]) == 2)
        assert (idle["name"], idle["callServer"], idle["loggedin"], idle["available"]) == ("demo", "main", 0, 0)
        assert member(idle) == {
            "extension": "12343",
            "userId": "Sq7mWdXk3nPzT9cRb",
            "name": MEMBER,
            "state": "Unavailable",
            "paused": False,
            "pausedReason": None,
            "pausedSince": None,
            "penalty": 0,
            "inCall": False,
            "callsTaken": 0,
            "lastCallAt": None,
        }
        await call_as(ami, "0301111")
        await shows(server, "the first waits", lambda queue: numbers(queue) == ["0301111"])
        await call_as(ami, "0302222")
        waiting = await shows(server, "both wait", lambda queue: numbers(queue) == ["0301111", "0302222"])
        assert [caller["position"] for caller in waiting["callers"]] == [1, 2]
        since = [datetime.fromisoformat(caller["waitingSince"]) for caller in waiting["callers"]]
        assert began < since[0] <= since[1] < datetime.now(UTC) + A_MOMENT
        await ami.ask("QueuePause", Interface=MEMBER, Paused="true", Reason="tea <b>\u00e9")
        with stormy.phone("12343", SECOND_SIP_PASSWORD) as phone:
            await asyncio.to_thread(phone.wait_registered)
            paused = member(await shows(server, "it is free", lambda queue: member(queue)["state"] == "Not in use"))
            assert (paused["paused"], paused["pausedReason"]) == (True, "tea <b>\u00e9")
            assert began < datetime.fromisoformat(paused["pausedSince"]) < datetime.now(UTC) + A_MOMENT
            await ami.ask("QueuePenalty", Interface=MEMBER, Penalty="3")
            await shows(server, "the penalty", lambda queue: member(queue)["penalty"] == 3)
            await ami.ask("QueuePause", Interface=MEMBER, Paused="false")
            await asyncio.to_thread(phone.wait_for, "CALL_INCOMING")
            phone.answer()
            talking = await shows(server, "one is answered", lambda queue: numbers(queue) == ["0302222"])
            assert [caller["position"] for caller in talking["callers"]] == [1]
            await shows(server, "it is in a call", lambda queue: member(queue)["inCall"] is True)
            await hang_up_all(ami)
            after = member(await shows(server, "a call is counted", lambda queue: member(queue)["callsTaken"] == 1))
            assert began < datetime.fromisoformat(after["lastCallAt"]) < datetime.now(UTC) + A_MOMENT
        await shows(server, "nobody waits", lambda queue: queue["callers"] == [])
        await ami.ask("QueuePenalty", Interface=MEMBER, Penalty="0")


async def test_agents_see_who_calls_only_in_queues_of_theirs(stormy: Pbx, start: Start) -> None:
    await asyncio.to_thread(stormy.asterisk.rx, "dialplan add extension _X.,1,Set(CALLERID(num)=${EXTEN}) into waiting")
    for step in ("2,Answer()", "3,Queue(demo)"):
        await asyncio.to_thread(stormy.asterisk.rx, f"dialplan add extension _X.,{step} into waiting")
    server = await start(stormy.settings())
    of_member, of_client = await server.headers_of(), await server.headers_of(1797, "hT5rLwQ8vKz2fYj6N")
    assert (await server.client.get(QUEUES, headers=of_client)).status == 403
    assert (await server.client.get(QUEUES)).status == 401
    await stormy.database.execute("update users set user_type = 'agent' where user_id = 1797")
    async with supervising(stormy) as ami:
        await shows(server, "the queues are known", lambda queue: len(queue["members"]) == 2)
        await call_as(ami, "0303333")
        await shows(server, "it waits", lambda queue: numbers(queue) == ["0303333"])
        assert numbers(await read(server, of_member)) == ["0303333"]

        async def is_agent() -> bool:
            return (await server.client.get(QUEUES, headers=of_client)).status == 200

        await eventually(is_agent, IN_TIME, "the directory has read the new role")
        of_stranger = await read(server, of_client)
        assert [(caller["position"], caller["callerId"]) for caller in of_stranger["callers"]] == [(1, None)]
        await hang_up_all(ami)
    await stormy.database.execute("update users set user_type = 'client' where user_id = 1797")


async def test_a_tag_holds_until_something_but_a_time_differs(stormy: Pbx, start: Start) -> None:
    """Two replicas, whose clocks and lists differ by moments, have the same tag."""
    one, other = await start(stormy.settings()), await start(stormy.settings())
    for server in (one, other):
        await shows(server, "the queues are known", lambda queue: len(queue["members"]) == 2)
    tags = {(await server.client.get(QUEUES, headers=ADMIN)).headers["ETag"] for server in (one, other)}
    assert len(tags) == 1
    (tag,) = tags
    repeated = await one.client.get(QUEUES, headers={**ADMIN, "If-None-Match": tag})
    assert (repeated.status, await repeated.read(), repeated.headers["ETag"]) == (304, b"", tag)
    async with supervising(stormy) as ami:
        await ami.ask("QueuePause", Interface=MEMBER, Paused="true")
        await shows(one, "it is paused", lambda queue: member(queue)["paused"])
        changed = await one.client.get(QUEUES, headers={**ADMIN, "If-None-Match": tag})
        assert (changed.status, changed.headers["ETag"] != tag) == (200, True)
        await ami.ask("QueuePause", Interface=MEMBER, Paused="false")


async def test_another_holder_of_a_members_extension_changes_the_tag(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await shows(server, "the queues are known", lambda queue: len(queue["members"]) == 2)
    tag = (await server.client.get(QUEUES, headers=ADMIN)).headers["ETag"]
    await stormy.database.execute("update extensions set user_id = null where extension = '12343'")
    await shows(server, "nobody holds it", lambda queue: member(queue)["userId"] is None)
    assert (await server.client.get(QUEUES, headers={**ADMIN, "If-None-Match": tag})).status == 200
    await stormy.database.execute("update extensions set user_id = 1796 where extension = '12343'")
    await shows(server, "it is held again", lambda queue: member(queue)["userId"] is not None)


async def test_what_was_is_never_told_as_what_is(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings(watchdog_deadline=2.0))
    await shows(server, "the queues are known", lambda queue: len(queue["members"]) == 2)
    stormy.asterisk.kill()
    await eventually(lambda: server.link.queues is None)
    answer = await server.client.get(QUEUES, headers={**ADMIN, "If-None-Match": "*"})
    assert answer.status == 503
    assert answer.headers["Retry-After"]
    await asyncio.to_thread(stormy.asterisk.start)
    await shows(server, "they are known again", lambda queue: len(queue["members"]) == 2)
