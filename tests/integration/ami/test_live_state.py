"""The state in the answer is Asterisk's state now: real Asterisk, real phones."""

from __future__ import annotations

import asyncio

import pytest

from local.baresip import PhoneError
from service.cli.demo import SECOND_SIP_PASSWORD, SIP_PASSWORD
from service.db import extensions
from service.web.app_keys import DATABASE
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.pbx import OLDEST, Pbx
from tests.support.server import ADMIN, Server, Start

QUALIFIED = 10.0
"""Seconds within which a new endpoint is surely live (see service.ami.endpoint_tracker)."""
AGENT = "/api/v1/omnichannel/agent/extension"
SECOND_UID = "Sq7mWdXk3nPzT9cRb"


async def test_a_phone_that_registers_is_not_in_use_and_one_that_leaves_is_unavailable(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    phone = pbx.phone("12342", SIP_PASSWORD)
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use")
    finally:
        await asyncio.to_thread(phone.stop)
    await server.shows("Unavailable")


async def test_an_extension_made_while_all_runs_is_live_and_so_is_its_phone(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    user_id, uid = 1797, "hT5rLwQ8vKz2fYj6N"
    assert (await server.registration(uid)).status == 404
    database = server.app[DATABASE]
    await extensions.create(database, "20001", "main", "sip", "se;cr\"et'\\$1", origin=PREPARED)
    await extensions.assign(database, "20001", user_id, origin=PREPARED)
    await server.answers(200, uid=uid)
    await server.shows("Unavailable", uid)
    phone = pbx.phone("20001", "se;cr\"et'\\$1")
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", uid)
    finally:
        await asyncio.to_thread(phone.stop)
    await server.shows("Unavailable", uid)


async def test_a_phone_that_registered_before_anybody_tracked_it_is_found(pbx: Pbx, start: Start) -> None:
    """The trap itself: the phone registers while no service watches, so only a qualify can tell."""
    await pbx.database.execute(
        "insert into extensions (extension, secret, call_server, user_id) values ('20002', 'secret-20002', 'main', 1)"
    )
    phone = pbx.phone("20002", "secret-20002")
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        server = await start(pbx.settings())
        await server.shows("Not in use", "6vHSSqdBHdm2R4gfi", within=QUALIFIED)
    finally:
        await asyncio.to_thread(phone.stop)
    await server.shows("Unavailable", "6vHSSqdBHdm2R4gfi")


async def test_lists_of_extensions_show_a_phone_as_it_is_now_in_either_spelling(pbx: Pbx, start: Start) -> None:
    asterisks, rocketchats = await start(pbx.settings()), await start(pbx.settings(rocketchat_states=True))

    async def shown(server: Server, path: str) -> tuple[list[dict[str, str]], str]:
        answer = await server.client.get(f"/api/v1/{path}", headers=ADMIN)
        body = await answer.json()
        return body.get("extensions", [body]), answer.headers["X-State-Live"]

    async def show(word: str, spelled: str) -> bool:
        found = [
            await shown(server, path)
            for server, state in ((asterisks, word), (rocketchats, spelled))
            for path in (
                "connector.extension.getDetails?extension=12342",
                f"omnichannel/extensions?extension=12342&status={state.replace(' ', '+')}",
            )
        ]
        return [(item["state"], live) for items, live in found for item in items] == [
            (state, "true") for state in (word, word, spelled, spelled)
        ]

    await eventually(lambda: show("Unavailable", "unregistered"), QUALIFIED, "both lists show that nobody is there")
    phone = pbx.phone("12342", SIP_PASSWORD)
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await eventually(lambda: show("Not in use", "registered"), what="both lists show the phone")
        listed, live = await shown(asterisks, "connector.extension.list")
        states = {item["extension"]: item["state"] for item in listed}
        assert states["12342"] == "Not in use"
        assert (live == "true") is ("Unknown" not in states.values())
    finally:
        await asyncio.to_thread(phone.stop)


async def test_the_list_shows_and_finds_members_of_queues(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())

    async def members(queues: str) -> list[tuple[str, list[str]]] | None:
        answer = await server.client.get(f"/api/v1/omnichannel/extensions?{queues}", headers=ADMIN)
        found = await answer.json()
        return [(item["extension"], item["queues"]) for item in found["extensions"]] if answer.status == 200 else None

    async def known() -> bool:
        return await members("queues[]=demo&queues[]=none") is not None

    await eventually(known, QUALIFIED, "the queues are known")
    assert await members("queues[]=demo&queues[]=none") == [("12342", ["demo"]), ("12343", ["demo"])]
    assert await members("queues[]=demo&extension=12342") == [("12342", ["demo"])]
    assert await members("queues[]=dem") == []


async def test_a_phone_whose_extension_is_taken_cannot_register_with_what_it_knew(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable", SECOND_UID)
    assert (await server.client.delete(f"{AGENT}/agent2", headers=ADMIN)).status == 200
    phone = pbx.phone("12343", SECOND_SIP_PASSWORD)
    await asyncio.to_thread(phone.start)
    try:
        with pytest.raises(PhoneError, match="refused the registration"):
            await asyncio.to_thread(phone.wait_registered)
    finally:
        await asyncio.to_thread(phone.stop)
    given = await server.client.post(AGENT, json={"username": "agent2", "extension": "12343"}, headers=ADMIN)
    assert given.status == 200
    secret = (await (await server.registration(SECOND_UID)).json())["extensionDetails"]["password"]
    phone = pbx.phone("12343", secret)
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", SECOND_UID)
    finally:
        await asyncio.to_thread(phone.stop)


async def test_a_killed_asterisk_turns_the_state_unknown_and_its_return_heals(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    pbx.asterisk.kill()
    await server.shows("Unknown ?")
    answer = await server.registration()
    assert answer.headers["X-State-Reason"] == "disconnected"
    assert "X-State-Since" in answer.headers
    assert (await answer.json())["extensionDetails"]["password"] == SIP_PASSWORD
    ready = await server.client.get("/readyz")
    assert (ready.status, (await ready.json())["status"]) == (200, "degraded")
    pbx.asterisk.start()
    await server.shows("Unavailable", within=30)

    async def is_ready() -> bool:  # the connection that sets presence follows the link
        return bool(await (await server.client.get("/readyz")).json() == {"status": "ready"})

    await eventually(is_ready)


async def test_the_asterisk_under_test_is_the_one_that_was_asked_for(pbx: Pbx, request: pytest.FixtureRequest) -> None:
    told = await asyncio.to_thread(pbx.asterisk.rx, "core show version")
    assert told.startswith("Asterisk 16." if OLDEST in request.node.name else "Asterisk 2")
