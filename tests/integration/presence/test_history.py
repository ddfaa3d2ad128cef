"""The registration history: a real phone that comes and goes, an Asterisk that dies, and who may read it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.support import command_line
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, Server, Start, serving, told

NUMBER, OTHER = "12342", "12343"


def path(number: str = NUMBER) -> str:
    return f"/api/v1/presence/{number}/history"


async def history(server: Server, number: str = NUMBER, **query: str) -> dict[str, Any]:
    status, body = await told(await server.client.get(path(number), headers=ADMIN, params=query))
    assert status == 200, body
    answer: dict[str, Any] = body
    return answer


def seen(body: dict[str, Any]) -> list[tuple[bool | None, bool]]:
    return [(change["registered"], change["exact"]) for change in body["changes"]]


async def lists(server: Server, *changes: tuple[bool | None, bool]) -> dict[str, Any]:
    """The history, once it has just these transitions."""

    async def there() -> dict[str, Any] | None:
        body = await history(server)
        return body if seen(body) == [*changes] else None

    answer: dict[str, Any] = await eventually(there, what=f"the history is {changes}")
    return answer


async def _registered_at_last(server: Server) -> dict[str, Any] | None:
    body = await history(server)
    values = [value for value, _ in seen(body)]
    return body if values == [False, True, False, True] else None


@contextlib.asynccontextmanager
async def registered(pbx: Pbx) -> AsyncIterator[None]:
    with pbx.phone(NUMBER, SIP_PASSWORD) as phone:
        await asyncio.to_thread(phone.wait_registered)
        yield


async def test_a_phone_that_comes_and_goes_is_listed_and_time_without_a_link_is_not_observed(pbx: Pbx) -> None:
    async with serving(pbx.settings()) as server:
        await lists(server, (False, False))
        async with registered(pbx):
            await lists(server, (False, False), (True, True))
        before = await lists(server, (False, False), (True, True), (False, True))
        assert (before["losses"], before["flapping"], before["registeredBefore"]) == (1, False, None)
        (earlier,) = before["notObserved"]
        assert (earlier["since"], earlier["until"] > before["since"]) == (before["since"], True)
        pbx.asterisk.kill()
        await server.shows("Unknown ?")
        await asyncio.to_thread(pbx.asterisk.start)
        async with registered(pbx):
            await server.shows("Not in use", within=60)
            # Whether the link was live before the phone registered, so that its registration was seen, is chance.
            after = await eventually(lambda: _registered_at_last(server), what="the phone is registered again")
        gap = after["notObserved"][-1]
        assert before["changes"][-1]["at"] < gap["since"] < gap["until"] <= after["changes"][-1]["at"]
    # A process that starts later continues the history, and its absence is a gap. A tenth of a second is none.
    ended = time.monotonic()
    await eventually(lambda: time.monotonic() > ended + 1.0, what="a second without a process")
    async with serving(pbx.settings()) as server:

        async def continued() -> list[Any]:
            gaps: list[Any] = (await history(server))["notObserved"]
            return gaps if len(gaps) == 3 and gaps[-1]["until"] < (await history(server))["until"] else []

        await eventually(continued, what="the time between the processes is not observed")


async def test_status_shows_the_last_day(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    async with registered(pbx):
        await server.shows("Not in use")

        async def shown() -> dict[str, Any]:
            found: dict[str, Any] = (await (await server.client.get(f"/status/{NUMBER}")).json())["history"]
            return found if found["changes"] and found["changes"][-1]["registered"] else {}

        status = await eventually(shown)
        assert (status["flapping"], bool(status["notObserved"])) == (False, True)
    variables = command_line.environment(pbx.database, HTTP_PORT=str(server.port))
    done = await asyncio.to_thread(command_line.command, variables, "status", NUMBER)
    assert done.returncode == 0, done.stderr
    assert "Registration in the last day: " in done.stdout
    assert "not observed" in done.stdout


async def test_five_losses_in_an_hour_are_flapping_in_the_answer_and_in_the_metric(pbx: Pbx, start: Start) -> None:
    server = await start(pbx.settings())
    await server.shows("Unavailable")
    for _ in range(5):
        async with registered(pbx):
            await server.shows("Not in use")
        await server.shows("Unavailable")

    async def flapping() -> bool:
        return bool((await history(server))["flapping"])

    await eventually(flapping)
    metrics = await (await server.client.get("/metrics")).text()
    assert 'connector_extensions_flapping{call_server="main"} 1.0' in metrics
    assert 'connector_registration_history_writer{call_server="main"} 1.0' in metrics


async def test_a_client_sees_its_own_and_an_agent_all(database: TestDatabase, server: Server) -> None:
    agent = await server.headers_of()
    assert (await server.client.get(path(OTHER), headers=agent)).status == 200
    await database.execute("update users set user_type = 'client' where user_id = 1795")

    async def only_own() -> bool:
        return (await server.client.get(path(OTHER), headers=agent)).status == 404

    await eventually(only_own)
    assert (await server.client.get(path(), headers=agent)).status == 200
    assert (await server.client.get(path())).status == 401


async def test_an_extension_that_does_not_exist_has_none(server: Server) -> None:
    answer = await server.client.get(path("99"), headers=ADMIN)
    assert await told(answer) == (404, {"success": False, "error": "Extension not found"})


@pytest.mark.parametrize("days", ["0", "31", "-1", "x", "1.5", ""])
async def test_days_are_a_whole_number_from_1_to_30(shared: Server, days: str) -> None:
    status, body = await told(await shared.client.get(path(), headers=ADMIN, params={"days": days}))
    assert (status, body["success"]) == (400, False)


async def test_without_asterisk_nothing_is_observed(shared: Server) -> None:
    body = await history(shared, days="2")
    assert (body["changes"], body["registeredBefore"]) == ([], None)
    assert body["notObserved"] == [{"since": body["since"], "until": body["until"]}]
