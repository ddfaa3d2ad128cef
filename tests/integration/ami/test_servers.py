"""Two call servers: one that is down harms nobody but itself; an extension moves from one to the other."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from local.asterisk import Asterisk, Config, Database
from local.baresip import Phone, PhoneError
from service.cli.demo import SIP_PASSWORD
from service.db.migrate import migrate
from service.settings import Settings
from tests.support.database import PASSWORD, call_server
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import ADMIN_UID, Server, Start

OTHER_ROLE = "asterisk_other"
NUMBER = "50001"
"""The admin's extension, on the other one."""


@pytest.fixture(scope="module")
async def other(pbx: Pbx, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Asterisk]:
    """A second Asterisk, with a role of its own in the first one's database."""
    database = pbx.database
    reads = Database(port=database.server.port, name=database.name, user=OTHER_ROLE, password=PASSWORD)
    asterisk = Asterisk(tmp_path_factory.mktemp("other"), Config(database=reads))
    await migrate(settings(pbx, asterisk))
    await database.execute(
        "insert into extensions (extension, secret, call_server, profile, user_id) values ($1, $2, 'other', 'sip', 1)",
        NUMBER,
        f"secret-{NUMBER}",
    )
    with asterisk:
        yield asterisk


def settings(pbx: Pbx, other: Asterisk) -> Settings:
    return pbx.database.settings(
        call_servers={
            "main": call_server(
                ami_port=pbx.asterisk.config.ami_port, monitor_secret=pbx.asterisk.config.monitor_secret
            ),
            "other": call_server(
                host="other.example.com",
                ami_port=other.config.ami_port,
                monitor_secret=other.config.monitor_secret,
                database_role=OTHER_ROLE,
            ),
        }
    )


async def test_one_that_is_down_or_frozen_leaves_the_other_unharmed(pbx: Pbx, other: Asterisk, start: Start) -> None:
    server = await start(settings(pbx, other))
    await server.shows("Unavailable")
    await server.shows("Unavailable", ADMIN_UID)
    main = server.link
    failures, resynchronisations = main.facts.failures, main.facts.resynchronisations
    other.kill()
    await server.shows("Unknown ?", ADMIN_UID)
    assert await server.state() == "Unavailable"
    ready = await (await server.client.get("/readyz")).json()
    assert ready["status"] == "degraded"
    assert {name: found["freshness"] == "live" for name, found in ready["callServers"].items()} == {
        "main": True,
        "other": False,
    }
    with pbx.phone("12342", SIP_PASSWORD):
        await server.shows("Not in use")
    await server.shows("Unavailable")
    await asyncio.to_thread(other.start)
    await server.shows("Unavailable", ADMIN_UID, within=30)
    assert (main.facts.failures, main.facts.resynchronisations) == (failures, resynchronisations)


async def test_an_extension_that_moves_is_followed_to_its_new_call_server(
    pbx: Pbx, other: Asterisk, start: Start
) -> None:
    """With real registrations: the old call server refuses it, the new one lets it in, and back again."""
    server = await start(settings(pbx, other))
    await server.shows("Unavailable")
    with pbx.phone("12342", SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use")
        await pbx.database.execute("update extensions set call_server = 'other' where extension = '12342'")
        await eventually(lambda: host(server), what="told of the new call server")
        assert await server.state() in ("Unknown ?", "Unavailable")  # there it is not registered
        phone.kill()
    await refused(pbx, SIP_PASSWORD)
    with Phone("12342", SIP_PASSWORD, "127.0.0.1", other.config.sip_port) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use")
    await server.shows("Unavailable")
    await pbx.database.execute("update extensions set call_server = 'main' where extension = '12342'")
    with pbx.phone("12342", SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use")
    await server.shows("Unavailable")


async def host(server: Server) -> bool:
    return bool((await (await server.registration()).json())["host"] == "other.example.com")


async def refused(pbx: Pbx, password: str) -> None:
    """Asterisk does not let 12342 in any more."""
    with pbx.phone("12342", password) as phone, pytest.raises(PhoneError, match="refused the registration: 401"):
        await asyncio.to_thread(phone.wait_registered)
