"""Setting one's own presence: over one connection to Asterisk that is kept, and replaced when it is gone."""

from __future__ import annotations

import asyncio

import pytest

from local import asterisk_programs
from local.asterisk_programs import Programs
from tests.support.cutter import cutting
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import Server, Start

LOGINS = b"Action: Login"


@pytest.fixture(scope="module")
def programs() -> Programs:
    """One Asterisk will do: it is asked for nothing but a login and a Setvar."""
    return asterisk_programs.find()


async def put(server: Server, headers: dict[str, str], presence: str = "away") -> int:
    answer = await server.client.put("/api/v1/presence", headers=headers, json={"presence": presence})
    return answer.status


async def test_an_asterisk_that_lets_nobody_new_in_keeps_nobody_from_it(pbx: Pbx, start: Start) -> None:
    """Connections that never log in do that to Asterisk, 50 at a time; it miscounts them, so here the line refuses."""
    async with cutting(pbx.asterisk.config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        agent = await server.headers_of()
        assert await put(server, agent) == 200
        cutter.refuse()
        assert [await put(server, agent, presence) for presence in ("dnd", "available", "away")] == [200] * 3
        assert "CustomPresence:12342" in await asyncio.to_thread(pbx.asterisk.rx, "presencestate list")


async def test_a_connection_that_was_cut_is_replaced_and_one_serves_all(pbx: Pbx, start: Start) -> None:
    config = pbx.asterisk.config
    async with cutting(config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        await eventually(lambda: server.link.facts.resynchronisations, 30)  # its connections come first
        agent = await server.headers_of()
        assert await asyncio.gather(*(put(server, agent) for _ in range(20))) == [200] * 20
        assert cutter.asked.count(LOGINS) == 1, "of the newest connection"
        assert cutter.actions()["Setvar"] == 20
        for _ in range(3):
            cutter.cut()
            await cutter.ended()
            assert await put(server, agent) == 200


async def test_an_asterisk_that_answers_nothing_is_a_503_and_heals(pbx: Pbx, start: Start) -> None:
    config = pbx.asterisk.config
    async with cutting(config.ami_port) as cutter:
        server = await start(pbx.settings(ami_port=cutter.port))
        agent = await server.headers_of()
        assert await put(server, agent) == 200
        cutter.hold()
        async with asyncio.timeout(20):
            assert await asyncio.gather(*(put(server, agent) for _ in range(5))) == [503] * 5
        cutter.resume()

        async def set_again() -> bool:
            return await put(server, agent) == 200

        await eventually(set_again, 20)


async def test_a_refused_account_does_not_log_in_for_each_request(pbx: Pbx, start: Start) -> None:
    settings = pbx.settings()
    main = settings.call_servers["main"]
    wrong = type(main.monitor_secret)("not its secret")
    config = pbx.asterisk.config
    async with cutting(config.ami_port) as cutter:
        settings.call_servers["main"] = main.model_copy(update={"presence_secret": wrong, "ami_port": cutter.port})
        server = await start(settings)
        await eventually(lambda: server.link.facts.resynchronisations, 30)
        agent = await server.headers_of()
        assert await put(server, agent) == 503
        cutter.asked.clear()
        assert [await put(server, agent) for _ in range(5)] == [503] * 5
        assert LOGINS not in cutter.asked
