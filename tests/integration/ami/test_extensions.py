"""Extensions that are made, changed, disabled and deleted while all runs: Asterisk and the map follow."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from pydantic import SecretStr

from local.baresip import Phone, PhoneError
from service.settings import Settings
from tests.support.command_line import command, environment
from tests.support.eventually import eventually
from tests.support.pbx import Pbx
from tests.support.server import ADMIN, Server, Start

UID = "hT5rLwQ8vKz2fYj6N"
"""Of the person `nophone`, to whom each test gives an extension."""
AT_ONCE = 10.0
"""Seconds: fewer than until the tracker's second try, so that the first one was in time."""

Way = Callable[[Pbx, Server, str], Awaitable[None]]


async def by_psql(pbx: Pbx, server: Server, number: str) -> None:
    await pbx.database.execute(
        "insert into extensions (extension, secret, call_server, profile, user_id)"
        " select $1, 'Zq9x-k3y-' || $1, 'main', 'sip', user_id from users where uid = $2",
        number,
        UID,
    )
    await server.answers(200, uid=UID)


async def by_command_line(pbx: Pbx, _: Server, number: str) -> None:
    variables = environment(pbx.database)
    arguments = ("extension", "create", number, "--profile", "sip", "--password-stdin")
    made = await asyncio.to_thread(command, variables, *arguments, given=f"Zq9x-k3y-{number}\n")
    assert made.returncode == 0, made.stderr
    given = await asyncio.to_thread(command, variables, "extension", "assign", number, "nophone")
    assert given.returncode == 0, given.stderr


async def by_another_replica(pbx: Pbx, other: Server, number: str) -> None:
    given = {"extension": number, "profile": "sip", "secret": f"Zq9x-k3y-{number}", "userId": UID}
    answer = await other.client.post("/api/v1/connector.extension.create", json=given, headers=ADMIN)
    assert answer.status == 200, await answer.text()


@pytest.fixture(autouse=True)
async def free(pbx: Pbx) -> AsyncIterator[None]:
    """Afterwards the person has no extension again."""
    yield
    await pbx.database.execute("delete from extensions where user_id = (select user_id from users where uid = $1)", UID)


def settings(pbx: Pbx, *, sync: bool = False) -> Settings:
    made = pbx.settings(requests_per_minute=1_000_000)
    if sync:
        main = made.call_servers["main"]
        secret = SecretStr(pbx.asterisk.config.sync_secret)
        made.call_servers["main"] = main.model_copy(update={"sync_secret": secret})
    return made


@contextlib.asynccontextmanager
async def registered(pbx: Pbx, number: str) -> AsyncIterator[Phone]:
    with pbx.phone(number, f"Zq9x-k3y-{number}") as phone:
        await asyncio.to_thread(phone.wait_registered)
        yield phone


async def refused(pbx: Pbx, number: str) -> None:
    """Asterisk does not let this phone in."""
    with pbx.phone(number, f"Zq9x-k3y-{number}") as phone, pytest.raises(PhoneError, match="refused"):
        await asyncio.to_thread(phone.wait_registered)


@pytest.mark.parametrize(
    ("way", "number"), [(by_psql, "60001"), (by_command_line, "60002"), (by_another_replica, "60003")]
)
async def test_an_inserted_extension_is_followed_by_every_replica(
    pbx: Pbx, start: Start, way: Way, number: str
) -> None:
    one, two = await start(settings(pbx)), await start(settings(pbx))
    await way(pbx, two, number)
    for server in (one, two):
        await server.answers(200, uid=UID)
        await server.shows("Unavailable", UID, within=AT_ONCE)
    async with registered(pbx, number):
        for server in (one, two):
            await server.shows("Not in use", UID, within=AT_ONCE)
    for server in (one, two):
        await server.shows("Unavailable", UID, within=AT_ONCE)


async def test_a_phone_that_registers_the_moment_its_extension_is_made_is_live_at_once(pbx: Pbx, start: Start) -> None:
    server = await start(settings(pbx))
    await server.shows("Unavailable")
    await by_psql(pbx, server, "60011")
    async with registered(pbx, "60011"):
        await server.shows("Not in use", UID, within=AT_ONCE)


async def test_an_extension_that_was_called_before_its_phone_came_is_live(pbx: Pbx, start: Start) -> None:
    server = await start(settings(pbx))
    await by_psql(pbx, server, "60021")
    await by_psql_for_nobody(pbx, "60022")
    await server.shows("Unavailable", UID, within=AT_ONCE)
    async with registered(pbx, "60022") as caller:
        caller.dial("60021")
        await asyncio.to_thread(caller.wait_for, "CALL_CLOSED")
    assert await server.state(UID) == "Unavailable"
    async with registered(pbx, "60021"):
        await server.shows("Not in use", UID, within=AT_ONCE)


async def by_psql_for_nobody(pbx: Pbx, number: str) -> None:
    statement = "insert into extensions (extension, secret, call_server, profile) values ($1, $2, 'main', 'sip')"
    await pbx.database.execute(statement, number, f"Zq9x-k3y-{number}")


@pytest.mark.parametrize(
    "statement",
    ["update extensions set enabled = false where extension = $1", "delete from extensions where extension = $1"],
    ids=["disabled", "deleted"],
)
async def test_a_disabled_or_deleted_extension_is_404_at_once_and_its_next_register_is_refused(
    pbx: Pbx, start: Start, statement: str
) -> None:
    server = await start(settings(pbx))
    number = "60031" if "enabled" in statement else "60032"
    await by_psql(pbx, server, number)
    async with registered(pbx, number):
        await server.shows("Not in use", UID, within=AT_ONCE)
        await pbx.database.execute(statement, number)
        await server.answers(404, uid=UID)
    await refused(pbx, number)
    if "enabled" in statement:
        await pbx.database.execute("update extensions set enabled = true where extension = $1", number)
    else:
        await by_psql(pbx, server, number)
    async with registered(pbx, number):
        await server.shows("Not in use", UID, within=AT_ONCE)
    await server.shows("Unavailable", UID, within=AT_ONCE)


async def test_a_new_secret_is_told_at_once_and_the_old_one_is_refused(pbx: Pbx, start: Start) -> None:
    server = await start(settings(pbx))
    await by_psql(pbx, server, "60041")
    await server.shows("Unavailable", UID, within=AT_ONCE)
    await pbx.database.execute("update extensions set secret = 'another' where extension = '60041'")

    async def told() -> bool:
        return bool((await (await server.registration(UID)).json())["extensionDetails"]["password"] == "another")

    await eventually(told)
    await refused(pbx, "60041")
    with pbx.phone("60041", "another") as phone:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", UID, within=AT_ONCE)
