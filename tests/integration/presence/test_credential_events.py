"""A stream tells its person of new SIP passwords, whoever made them; without these."""

from __future__ import annotations

import asyncio

import pytest

from service.db import phone_secrets
from service.web.app_keys import CREDENTIAL_WATCH, DATABASE
from tests.integration.db.test_secret_life import FURTHER, auths
from tests.integration.presence.test_stream import Event, Reader, reading
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, AGENT_UID, Server, Start


async def credentials(reader: Reader, within: float = 10.0) -> Event:
    async with asyncio.timeout(within):
        while (event := await reader.next(within)).name != "credentials":
            pass
    return event


async def phone_id(database: TestDatabase, endpoint: str = "12342") -> int:
    (row,) = await database.rows("select phone_id from phones where endpoint = $1", endpoint)
    return int(row["phone_id"])


@pytest.mark.parametrize(
    "statement",
    [
        "update phones set secret = 'typed-by-hand' where endpoint = '12342'",
        "update extensions set secret = 'typed-by-hand' where extension = '12342'",
    ],
)
async def test_a_password_made_by_hand_is_told_and_registration_info_has_it(
    database: TestDatabase, server: Server, statement: str
) -> None:
    agent = await server.headers_of()
    async with reading(server, agent, extension="12343") as reader:
        await reader.next()
        await database.execute(statement)
        event = await credentials(reader)
        phone = await phone_id(database)
        assert (event.id, event.data) == (None, {"extension": "12342", "phone": phone, "endpoint": "12342"})
        info = await (await server.registration(AGENT_UID, agent)).json()
        assert info["extensionDetails"]["password"] == "typed-by-hand"


async def test_another_replica_tells_its_streams_and_nobody_elses(database: TestDatabase, start: Start) -> None:
    one, other = await start(database.settings()), await start(database.settings())
    async with (
        reading(other, await other.headers_of()) as agent,
        reading(other, ADMIN) as admin,
        reading(one, await one.headers_of(1796, "Sq7mWdXk3nPzT9cRb")) as colleague,
    ):
        for reader in (agent, admin, colleague):
            await reader.next()
        await one.client.post(f"/api/v1/phones/{await phone_id(database)}/rotate", headers=ADMIN)
        assert (await credentials(agent)).data["endpoint"] == "12342"
        await database.execute("update phones set secret = 'typed-by-hand' where endpoint = '12343'")
        assert (await credentials(colleague)).data["endpoint"] == "12343", "the first event is of their own phone"
        await database.execute("update extensions set user_id = 1 where extension = '12343'")
        assert (await credentials(admin)).data["endpoint"] == "12343", "their first event is of what they got"
        new = (await auths(database))["12342"][0]
        assert new not in str(await agent_text(agent))


async def agent_text(reader: Reader) -> bytes:
    """What else has arrived."""
    found: bytes = reader.answer.content.read_nowait()
    return found


async def test_a_password_ended_without_a_key_is_told_when_a_service_has_made_another(
    database: TestDatabase, server: Server
) -> None:
    async with reading(server, await server.headers_of()) as reader:
        await reader.next()
        await database.execute(FURTHER)
        assert (await credentials(reader)).data["endpoint"] == "12342.desk"
        await database.execute("update phones set secret = null where endpoint = '12342'")
        await phone_secrets.fill_missing(server.app[DATABASE])
        assert (await credentials(reader)).data["endpoint"] == "12342"


async def test_a_stream_that_ended_is_forgotten(database: TestDatabase, server: Server) -> None:
    async with reading(server, await server.headers_of()) as reader:
        await reader.next()
        assert server.app[CREDENTIAL_WATCH]._known
    await eventually(lambda: not server.app[CREDENTIAL_WATCH]._known)


async def test_a_rotation_with_overlap_is_told_once(database: TestDatabase, server: Server) -> None:
    async with reading(server, await server.headers_of()) as reader:
        await reader.next()
        await phone_secrets.rotate(server.app[DATABASE], "12342", origin=PREPARED, overlap=60)
        await credentials(reader)
        await database.execute("update phones set former_until = now() where endpoint = '12342'")
        await database.execute("update phones set secret = 'typed-by-hand' where endpoint = '12342'")
        await credentials(reader)
        assert (await agent_text(reader)).count(b"credentials") == 0
