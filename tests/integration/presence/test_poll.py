"""Presence as softphones poll it, over a real PostgreSQL; the states come from a link whose Asterisk is away."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.db import extensions
from service.web.app_keys import DATABASE, LONG_POLL_QUOTA, PRESENCE_FEED
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, AGENT_UID, Server, Start, told

PATH = "/api/v1/presence"


async def presence(server: Server, headers: dict[str, str] = ADMIN, **query: Any) -> dict[str, Any]:
    answer = await server.client.get(PATH, headers=headers, params=query)
    assert answer.status == 200, await answer.text()
    body: dict[str, Any] = await answer.json()
    return body


def numbers(body: dict[str, Any]) -> list[str]:
    return [item["extension"] for item in body["presence"]]


async def test_the_whole_picture_has_every_field_in_its_place(server: Server) -> None:
    body = await presence(server)
    assert list(body) == ["success", "full", "cursor", "presence"]
    assert (body["success"], body["full"], numbers(body)) == (True, True, ["12342", "12343"])
    item = body["presence"][0]
    as_of = item.pop("asOf")
    assert as_of.endswith("Z")
    assert item == {
        "extension": "12342",
        "userId": AGENT_UID,
        "username": "dnhai",
        "callServer": "main",
        "state": "Unknown",
        "registered": None,
        "reachable": None,
        "roundTripMs": None,
        "inCall": None,
        "presence": "not_set",
        "message": "",
        "live": False,
    }


async def test_one_extension_is_asked_for_by_its_number(server: Server) -> None:
    status, body = await told(await server.client.get(f"{PATH}/12342", headers=ADMIN))
    assert (status, list(body), body["presence"]["extension"]) == (200, ["success", "cursor", "presence"], "12342")
    missing = await server.client.get(f"{PATH}/99", headers=ADMIN)
    assert await told(missing) == (404, {"success": False, "error": "Extension not found"})


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"extension": "12343"}, ["12343"]),
        ({"extension": "12343,12342"}, ["12342", "12343"]),
        ({"userId": AGENT_UID}, ["12342"]),
        ({"userId": AGENT_UID, "extension": "12343"}, ["12342", "12343"]),
        ({"extension": "nobody"}, []),
        ({"extension": ""}, ["12342", "12343"]),
        ({"extension": "", "userId": AGENT_UID}, ["12342"]),
        ({"userId": "nobody"}, []),
    ],
)
async def test_filters_choose(server: Server, query: dict[str, Any], found: list[str]) -> None:
    assert numbers(await presence(server, **query)) == found


async def test_what_is_the_same_has_the_same_tag_however_it_was_asked_for(server: Server) -> None:
    async def tag(path: str, **query: str) -> str:
        return (await server.client.get(path, headers=ADMIN, params=query)).headers["ETag"]

    assert await tag(PATH) == await tag(PATH, extension="12343,12342")
    assert await tag(f"{PATH}/12342") == await tag(PATH, userId=AGENT_UID) != await tag(PATH, extension="12343")


async def test_a_client_sees_its_own_and_an_agent_all(database: TestDatabase, start: Start) -> None:
    await database.execute(
        "insert into extensions (extension, secret, call_server, user_id) values ('9', 'x', 'main', 1797)"
    )
    server = await start(database.settings())
    client = await server.login("nophone", "demo-nophone-password")
    agent = await server.login("dnhai", "demo-agent-password")
    assert numbers(await presence(server, client)) == ["9"]
    assert numbers(await presence(server, agent)) == ["12342", "12343", "9"]
    assert (await server.client.get(f"{PATH}/12342", headers=client)).status == 404


async def test_the_same_picture_is_a_304_on_every_replica(database: TestDatabase, start: Start) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    tag = (await one.client.get(PATH, headers=ADMIN)).headers["ETag"]
    again = await other.client.get(PATH, headers={**ADMIN, "If-None-Match": tag})
    assert (again.status, await again.read()) == (304, b"")
    single = (await one.client.get(f"{PATH}/12342", headers=ADMIN)).headers["ETag"]
    assert (await other.client.get(f"{PATH}/12342", headers={**ADMIN, "If-None-Match": single})).status == 304


async def test_a_cursor_gets_only_what_changed(server: Server) -> None:
    cursor = (await presence(server))["cursor"]
    nothing = await presence(server, since=cursor)
    assert (nothing["full"], nothing["presence"], nothing["cursor"]) == (False, [], cursor)
    database = server.app[DATABASE]
    await extensions.create(database, "500", "main", "sip", origin=PREPARED)
    new = await presence(server, since=cursor, wait="20")
    assert (new["full"], numbers(new)) == (False, ["500"])
    await extensions.delete(database, "500", origin=PREPARED)
    gone = await presence(server, since=new["cursor"], wait="20")
    assert gone["presence"] == [{"extension": "500", "deleted": True}]
    both = await presence(server, since=cursor)
    assert both["presence"] == [{"extension": "500", "deleted": True}]


@pytest.mark.parametrize("cursor", ["", "x", "-", "0-0", "ffffffffffff-1", "…", "1" * 500])
async def test_a_cursor_from_elsewhere_gets_the_whole_picture(server: Server, cursor: str) -> None:
    body = await presence(server, since=cursor)
    assert (body["full"], numbers(body)) == (True, ["12342", "12343"])


async def test_a_cursor_from_the_future_gets_the_whole_picture(server: Server) -> None:
    feed = server.app[PRESENCE_FEED]
    assert (await presence(server, since=feed.cursor(feed.version + 1)))["full"] is True


async def test_a_long_poll_ends_with_the_same_cursor_when_nothing_changes(server: Server) -> None:
    cursor = (await presence(server))["cursor"]
    body = await presence(server, since=cursor, wait="0.2")
    assert (body["cursor"], body["presence"]) == (cursor, [])


async def test_a_long_poll_for_one_extension_does_not_wake_for_another(server: Server) -> None:
    cursor = (await presence(server))["cursor"]
    waiting = asyncio.create_task(presence(server, since=cursor, wait="20", extension="501"))
    await extensions.create(server.app[DATABASE], "500", "main", "sip", origin=PREPARED)
    await extensions.create(server.app[DATABASE], "501", "main", "sip", origin=PREPARED)
    assert numbers(await waiting) == ["501"]


async def test_a_long_poll_ends_with_its_token(database: TestDatabase, server: Server) -> None:
    """And says so: that nothing has changed would be an answer to somebody who may have none."""
    headers = await server.headers_of()
    cursor = (await presence(server, headers))["cursor"]
    held = server.client.get(PATH, headers=headers, params={"since": cursor, "wait": "20"})
    waiting = asyncio.create_task(held)
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 1)
    await database.execute("delete from tokens where user_id = 1795")
    async with asyncio.timeout(10):
        assert (await waiting).status == 401


@pytest.mark.parametrize("wait", ["x", "-1", "nan", "inf", "", "٣", "٤", "+3", " 3", "1_0", "1e", "0x1", ".5", "1 "])
async def test_a_wait_that_is_no_number_of_seconds_is_refused(server: Server, wait: str) -> None:
    answer = await server.client.get(PATH, headers=ADMIN, params={"since": "x", "wait": wait})
    assert await told(answer) == (400, {"success": False, "error": "Match error: Expected seconds in field wait"})


async def test_a_wait_is_given_once(server: Server) -> None:
    answer = await server.client.get(PATH, headers=ADMIN, params=[("wait", "1"), ("wait", "2")])
    assert await told(answer) == (400, {"success": False, "error": "Match error: Key 'wait' is given more than once"})


async def test_nobody_sees_anything_without_a_token(server: Server) -> None:
    for path in (PATH, f"{PATH}/12342", f"{PATH}/stream"):
        assert (await server.client.get(path)).status == 401


async def test_rocketchats_words_for_presence(server: Server) -> None:
    path = "/api/v1/users.getPresence"
    own = await server.client.get(path, headers=ADMIN)
    assert await told(own) == (200, {"presence": "offline", "connectionStatus": "offline", "success": True})
    other = await server.client.get(path, headers=ADMIN, params={"username": "DNHAI"})
    assert await told(other) == (200, {"presence": "offline", "success": True})
    nobody = await server.client.get(path, headers=ADMIN, params={"userId": "nobody"})
    assert await told(nobody) == (404, {"success": False, "error": "User not found"})
    status, body = await told(await server.client.get("/api/v1/users.presence", headers=ADMIN))
    assert (status, body["full"], len(body["users"])) == (200, True, 2)
    assert body["users"][0] == {"_id": AGENT_UID, "username": "dnhai", "status": "offline"}
    later = {"from": "2100-01-01T00:00:00Z"}
    status, body = await told(await server.client.get("/api/v1/users.presence", headers=ADMIN, params=later))
    assert (status, body) == (200, {"users": [], "full": False, "success": True})
    for wrong in ("yesterday", "2026-01-01T00:00:00"):
        answer = await server.client.get("/api/v1/users.presence", headers=ADMIN, params={"from": wrong})
        assert answer.status == 400


async def test_a_client_cannot_tell_whom_there_is(server: Server) -> None:
    path, client = "/api/v1/users.getPresence", await server.headers_of(1797, "hT5rLwQ8vKz2fYj6N")
    for whom in ({"username": "dnhai"}, {"userId": AGENT_UID}, {"username": "nobody"}, {"userId": "nobody"}):
        answer = await server.client.get(path, headers=client, params=whom)
        assert await told(answer) == (404, {"success": False, "error": "User not found"})
    for own in ({}, {"username": "NoPhone"}, {"userId": client["X-User-Id"]}):
        answer = await server.client.get(path, headers=client, params=own)
        assert await told(answer) == (200, {"presence": "offline", "connectionStatus": "offline", "success": True})


@pytest.mark.parametrize("query", [{}, {"extension": "12342"}, {"userId": AGENT_UID}, {"since": "made-up"}])
async def test_a_picture_that_the_client_has_is_held_until_it_differs(
    database: TestDatabase, server: Server, query: dict[str, str]
) -> None:
    tag = (await server.client.get(PATH, headers=ADMIN, params=query)).headers["ETag"]
    headers = {**ADMIN, "If-None-Match": tag}
    same = await server.client.get(PATH, headers=headers, params={**query, "wait": "0.2"})
    assert (same.status, same.headers["ETag"]) == (304, tag)
    waiting = asyncio.create_task(server.client.get(PATH, headers=headers, params={**query, "wait": "30"}))
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 1)
    await database.execute("update extensions set enabled = false where extension = '12342'")
    async with asyncio.timeout(10):
        answer = await waiting
    body = await answer.json()
    assert (answer.status, body["full"], "12342" in numbers(body)) == (200, True, False)
    assert answer.headers["ETag"] != tag
    async with asyncio.timeout(10):  # what differs already is not waited for
        assert (await server.client.get(PATH, headers=headers, params={**query, "wait": "30"})).status == 200


async def test_who_may_not_ask_any_more_is_told_nothing(database: TestDatabase, server: Server) -> None:
    agent = await server.headers_of()
    tag = (await server.client.get(PATH, headers=agent)).headers["ETag"]
    held = server.client.get(PATH, headers={**agent, "If-None-Match": tag}, params={"wait": "30"})
    waiting = asyncio.create_task(held)
    await eventually(lambda: len(server.app[LONG_POLL_QUOTA]) == 1)
    await database.execute("delete from tokens where user_id = 1795")
    async with asyncio.timeout(10):
        assert (await waiting).status == 401


async def test_registration_info_can_be_waited_for(database: TestDatabase, server: Server) -> None:
    tag = (await server.registration()).headers["ETag"]
    headers = {**ADMIN, "If-None-Match": tag}
    path = "/api/v1/connector.extension.getRegistrationInfoByUserId"
    same = await server.client.get(path, headers=headers, params={"id": AGENT_UID, "wait": "0.2"})
    assert same.status == 304
    waiting = asyncio.create_task(server.client.get(path, headers=headers, params={"id": AGENT_UID, "wait": "20"}))
    await asyncio.sleep(0)
    await database.execute("update extensions set secret = 'another' where extension = '12342'")
    async with asyncio.timeout(10):
        answer = await waiting
    assert (answer.status, (await answer.json())["extensionDetails"]["password"]) == (200, "another")
