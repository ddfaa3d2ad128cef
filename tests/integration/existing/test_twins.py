"""A FreePBX extension with a desk phone and a twin for browsers: registration info is of one, presence of both."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from service.domain.models import Credentials
from service.web.softphone import registration
from tests.support.database import TestDatabase, call_server
from tests.support.eventually import eventually
from tests.support.existing.pbx import ExistingPbx
from tests.support.imported import HOLDER_UID
from tests.support.server import ADMIN, REGISTRATION, Server, Start

TWINS = {"1001": "sip", "991001": "webrtc"}
EXTENSION = """
insert into call_servers (name, credentials) values ('pbx', 'imported');
insert into extensions (extension, call_server, user_id) values ('1001', 'pbx', 1797)
"""
PHONE = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile)
values ('pbx', $1, '1001', $2, $3, $4)
"""


@pytest.fixture
async def server(small_freepbx_like: ExistingPbx, database: TestDatabase, start: Start) -> Server:
    """A service in front of it, with the twins of 1001 as an import stores them."""
    await database.execute(EXTENSION)
    for endpoint, profile in TWINS.items():
        phone = small_freepbx_like.shape.phone(endpoint)
        await database.execute(PHONE, endpoint, phone.auth_username, phone.secret, profile)
    pbx = small_freepbx_like.call_server(credentials=Credentials.IMPORTED, database_role=None, database_password=None)
    return await start(database.settings(call_servers={"main": call_server(), "pbx": pbx}))


async def states(server: Server) -> tuple[str, str]:
    """The state in registration info, and that in presence."""
    answer = await server.client.get("/api/v1/presence/1001", headers=ADMIN)
    state: str = (await answer.json())["presence"]["state"]
    return await server.state(HOLDER_UID), state


async def shows(server: Server, in_registration_info: str, in_presence: str) -> None:
    """Wait until both have these states: a phone knows that it is registered before AMI has said so."""

    async def there() -> bool:
        return await states(server) == (in_registration_info, in_presence)

    await eventually(there, what=f"registration info: {in_registration_info}, presence: {in_presence}")


async def test_a_long_poll_hears_of_the_twin_whose_state_changes_nothing_in_presence(
    server: Server, small_freepbx_like: ExistingPbx, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registration, "RECHECK_INTERVAL", 60)
    await server.shows("Unavailable", HOLDER_UID)
    async with AsyncExitStack() as stack:
        desk = stack.enter_context(small_freepbx_like.phone("1001"))
        await asyncio.to_thread(desk.wait_registered)
        answer = await server.registration(HOLDER_UID)
        assert (await answer.json())["extensionDetails"]["extension"] == "991001"
        await shows(server, "Unavailable", "Not in use")
        headers = {**ADMIN, "If-None-Match": answer.headers["ETag"]}
        query = {"id": HOLDER_UID, "wait": "30"}
        waiting = asyncio.create_task(server.client.get(REGISTRATION, params=query, headers=headers))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        twin = stack.enter_context(small_freepbx_like.phone("991001"))
        async with asyncio.timeout(10):
            answer = await waiting
        assert (await answer.json())["extensionDetails"]["state"] == "Not in use"
        await asyncio.to_thread(twin.wait_registered)
        await shows(server, "Not in use", "Not in use")
