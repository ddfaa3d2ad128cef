"""The queue calls over HTTP, with a real Asterisk and real calls; and what they never do: tell what was."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import ClientResponse

from local.asterisk import Asterisk, Config, Database
from service.cli.demo import SECOND_SIP_PASSWORD
from service.db.migrate import migrate
from service.settings import Settings
from tests.support.database import PASSWORD, call_server
from tests.support.eventually import eventually
from tests.support.links import supervising
from tests.support.pbx import Pbx
from tests.support.queues import IN_TIME, MEMBER, call_in, hang_up_all
from tests.support.server import ADMIN, Server, Start

SUMMARY = "/api/v1/voip/queues.getSummary"
CALLS = "/api/v1/voip/queues.getQueuedCallsForThisExtension"
MEMBERSHIP = "/api/v1/voip/queues.getMembershipSubscription"
NOT_KNOWN = {"success": False, "error": "Service unavailable: the queues are not known"}
OTHER_ROLE = "asterisk_other"
EMPTY = {"name": "demo", "loggedin": "0", "available": "0", "callers": "0", "holdtime": "0", "talktime": "0"}


async def asked(server: Server, path: str, who: dict[str, str] | None = None, **query: str) -> ClientResponse:
    """What is answered to the admin, or to whoever has these headers."""
    return await server.client.get(path, params=query, headers=who or ADMIN)


async def answers(server: Server, path: str, answer: Any, within: float = IN_TIME, **query: str) -> None:
    """Wait until this is the answer."""

    async def there() -> bool:
        return bool(await (await asked(server, path, None, **query)).json() == answer)

    await eventually(
        there, within, f"{path} is {answer}, not {await (await asked(server, path, None, **query)).text()}"
    )


async def test_calls_that_wait_and_who_may_take_them(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings())
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)
    async with supervising(stormy) as ami:
        for _ in range(2):
            await call_in(ami)
        waiting = {**EMPTY, "callers": "2"}
        await answers(server, SUMMARY, {"summary": [waiting], "success": True})
        calls = {"queueCount": 1, "callWaitingCount": 2, "extension": "12343", "success": True}
        await answers(server, CALLS, calls, extension="12343")
        membership = {"queues": [waiting], "extension": "12343", "success": True}
        await answers(server, MEMBERSHIP, membership, extension="12343")
        for number in ("2343", "112343", "demo", "PJSIP/12343", "1"):
            await answers(server, CALLS, {**calls, "queueCount": 0, "callWaitingCount": 0, "extension": number},
                          extension=number)  # fmt: skip
        with stormy.phone("12343", SECOND_SIP_PASSWORD) as phone:
            await asyncio.to_thread(phone.wait_for, "CALL_INCOMING")
            there = {**waiting, "loggedin": "1"}
            await answers(server, SUMMARY, {"summary": [there], "success": True})
            await hang_up_all(ami)
            free = {**EMPTY, "loggedin": "1", "available": "1"}
            await answers(server, SUMMARY, {"summary": [free], "success": True})
            await ami.ask("QueuePause", Interface=MEMBER, Paused="true")
            await answers(server, SUMMARY, {"summary": [{**free, "available": "0"}], "success": True})
            await ami.ask("QueuePause", Interface=MEMBER, Paused="false")
        await answers(server, SUMMARY, {"summary": [EMPTY], "success": True})


async def test_a_poll_asks_asterisk_nothing(stormy: Pbx, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.ami.link.FIRST_SNAPSHOT_INTERVAL", 300.0)  # it asks for all lists again
    server = await start(stormy.settings())
    async with supervising(stormy) as ami:
        await ami.ask("QueuePause", Interface=MEMBER, Paused="false")
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)
    assert server.link._connection is not None
    asked_for: list[str] = []
    protocol = server.link._connection._protocol
    send = protocol.send

    async def watched(action: Any, deadline: float, **options: Any) -> Any:
        asked_for.append(action["Action"])
        return await send(action, deadline, **options)

    protocol.send = watched  # type: ignore[method-assign]
    async with supervising(stormy) as ami:
        await ami.ask("QueuePause", Interface=MEMBER, Paused="false")  # from now on events are known to be heard
    await eventually(lambda: server.link._queue_sync._receives_events)
    await eventually(lambda: not server.link._queue_sync._list_due.is_set())
    lists = asked_for.count("QueueStatus")
    for _ in range(200):
        assert (await asked(server, SUMMARY)).status == 200
        assert (await asked(server, MEMBERSHIP, extension="12343")).status == 200
    assert asked_for.count("QueueStatus") <= lists + 1
    assert {*asked_for} <= {"Ping", "QueueStatus", "PJSIPQualify", "Getvar"}


async def test_what_was_is_never_told_as_what_is(stormy: Pbx, start: Start) -> None:
    server = await start(stormy.settings(watchdog_deadline=2.0))
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)
    assert (await asked(server, SUMMARY)).headers["X-State-Live"] == "true"
    stormy.asterisk.kill()
    await eventually(lambda: server.link.queues is None)
    for path in (SUMMARY, CALLS, MEMBERSHIP):
        answer = await asked(server, path, extension="12343")
        assert (answer.status, await answer.json()) == (503, NOT_KNOWN)
        assert answer.headers["Retry-After"]
    readiness = await server.client.get("/readyz")
    assert (readiness.status, (await readiness.json())["callServers"]["main"]["queues"]) == (200, None)
    await asyncio.to_thread(stormy.asterisk.start)
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)


async def test_a_missing_class_takes_only_the_queues_away(stormy: Pbx, start: Start) -> None:
    settings = stormy.settings(monitor_username="unheard", monitor_secret="test-only-secret")
    server = await start(settings)
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)
    async with supervising(stormy) as ami:
        await call_in(ami)
        await answers(server, SUMMARY, NOT_KNOWN)
        await hang_up_all(ami)
    await server.shows("Unavailable")
    assert await (await server.client.get("/readyz")).json() == {"status": "ready"}


async def test_ones_own_extension_and_that_of_others(stormy: Pbx, start: Start) -> None:
    await stormy.database.execute(
        "insert into extensions (extension, secret, call_server, profile, user_id) values ('40001', 'x', 'main', 'sip',"
        " (select user_id from users where name = 'nophone'))"
    )
    server = await start(stormy.settings())
    await answers(server, SUMMARY, {"summary": [EMPTY], "success": True}, within=20)
    client = await server.headers_of(1797, "hT5rLwQ8vKz2fYj6N")
    for path in (CALLS, MEMBERSHIP):
        assert (await asked(server, path, client, extension="40001")).status == 200
        assert (await asked(server, path, client, extension="12343")).status == 403
        assert (await asked(server, path, client)).status == 403
    assert (await asked(server, SUMMARY, client)).status == 403


@pytest.fixture
async def two(stormy: Pbx, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A second call server with the same queue, and settings with both."""
    database = stormy.database
    reads = Database(port=database.server.port, name=database.name, user=OTHER_ROLE, password=PASSWORD)
    other = Asterisk(tmp_path_factory.mktemp("other"), Config(database=reads))
    servers = {
        name: call_server(ami_port=asterisk.config.ami_port, monitor_secret=asterisk.config.monitor_secret, **more)
        for name, asterisk, more in (
            ("main", stormy.asterisk, {}),
            ("other", other, {"database_role": OTHER_ROLE, "host": "other.example.com"}),
        )
    }
    settings: Settings = database.settings(call_servers=servers)
    await migrate(settings)
    with other:
        yield other, settings


async def test_of_two_call_servers_each_tells_of_its_own_queues(
    stormy: Pbx, two: tuple[Asterisk, Settings], start: Start
) -> None:
    other, settings = two
    server = await start(settings)
    both = [{**EMPTY, "callServer": name} for name in ("main", "other")]
    await answers(server, SUMMARY, {"summary": both, "success": True}, within=20)
    async with supervising(stormy) as ami:
        await call_in(ami)
        both[0]["callers"] = "1"
        await answers(server, SUMMARY, {"summary": both, "success": True})
        calls = {"queueCount": 1, "callWaitingCount": 1, "extension": "12343", "success": True}
        await answers(server, CALLS, calls, extension="12343")
        assert (await asked(server, SUMMARY)).headers["X-State-Live"] == "true"
        other.kill()
        await answers(server, SUMMARY, {"summary": both[:1], "success": True})
        answer = await asked(server, SUMMARY)
        assert (answer.headers["X-State-Live"], answer.headers["X-State-Reason"]) == ("false", "disconnected")
        await answers(server, CALLS, calls, extension="12343")
        await hang_up_all(ami)
