"""The state in the answer is Asterisk's state now: real Asterisk, real phones."""

from __future__ import annotations

import asyncio

import pytest

from service.cli.demo import SIP_PASSWORD
from service.keys import DATABASE
from service.store import extensions
from tests.support.pbx import OLDEST, Pbx
from tests.support.server import Start

QUALIFIED = 10.0
"""Seconds within which a new endpoint is surely live (see service.asterisk.tracker)."""


async def test_a_phone_that_registers_is_not_in_use_and_one_that_leaves_is_unavailable(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    phone = pbx.phone("12342", SIP_PASSWORD)
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", within=3)
    finally:
        await asyncio.to_thread(phone.stop)
    await server.shows("Unavailable", within=3)


async def test_an_extension_made_while_all_runs_is_live_and_so_is_its_phone(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    name, uid = "nophone", "hT5rLwQ8vKz2fYj6N"
    assert (await server.registration(uid)).status == 404
    database = server.app[DATABASE]
    await extensions.create(database, "20001", "main", "sip", "se;cr\"et'\\$1")
    await extensions.assign(database, "20001", name)
    await server.answers(200, uid=uid)
    assert await server.state(uid) == "Unknown ?"
    assert (await server.registration(uid)).headers["X-State-Reason"] == "untracked"
    await server.shows("Unavailable", uid, within=QUALIFIED)
    phone = pbx.phone("20001", "se;cr\"et'\\$1")
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", uid, within=3)
    finally:
        await asyncio.to_thread(phone.stop)
    await server.shows("Unavailable", uid, within=3)


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
    await server.shows("Unavailable", "6vHSSqdBHdm2R4gfi", within=3)


async def test_a_killed_asterisk_turns_the_state_unknown_and_its_return_heals(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    pbx.asterisk.kill()
    await server.shows("Unknown ?", within=1)
    answer = await server.registration()
    assert answer.headers["X-State-Reason"] == "disconnected"
    assert "X-State-Since" in answer.headers
    assert (await answer.json())["extensionDetails"]["password"] == SIP_PASSWORD
    ready = await server.client.get("/readyz")
    assert (ready.status, (await ready.json())["status"]) == (200, "degraded")
    pbx.asterisk.start()
    await server.shows("Unavailable", within=30)
    assert (await (await server.client.get("/readyz")).json()) == {"status": "ready"}


async def test_the_asterisk_under_test_is_the_one_that_was_asked_for(pbx: Pbx, request: pytest.FixtureRequest) -> None:
    told = await asyncio.to_thread(pbx.asterisk.rx, "core show version")
    assert told.startswith("Asterisk 16." if OLDEST in request.node.name else "Asterisk 2")
