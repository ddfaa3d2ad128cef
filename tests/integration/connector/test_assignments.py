"""Two who give away extensions at the same moment, in two processes: one wins, and nothing is left over."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.db import extensions
from service.web.app_keys import CHANGE_LISTENER, DATABASE
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, Server, Start, told

PATH = "/api/v1/omnichannel/agent/extension"
AGENT2_UID, NOPHONE_UID = "Sq7mWdXk3nPzT9cRb", "hT5rLwQ8vKz2fYj6N"
ROUNDS = 25
Pair = tuple[Server, Server]


@pytest.fixture
async def pair(database: TestDatabase, start: Start) -> Pair:
    await database.execute("update extensions set user_id = null")
    return await start(database.settings()), await start(database.settings())


async def give(server: Server, uid: str, extension: str) -> int:
    answer = await server.client.post(PATH, json={"userId": uid, "extension": extension}, headers=ADMIN)
    assert answer.status in (200, 400), await answer.text()
    return answer.status


async def take(server: Server, username: str) -> int:
    return (await server.client.delete(f"{PATH}/{username}", headers=ADMIN)).status


async def held(database: TestDatabase) -> dict[str, str]:
    """Who holds which extension, as PostgreSQL has it."""
    rows = await database.rows("select extension, name from extensions join users using (user_id)")
    return {row["name"]: row["extension"] for row in rows}


async def agree(pair: Pair, database: TestDatabase) -> None:
    """Both processes answer what PostgreSQL has."""
    wanted = await held(database)
    for server in pair:
        assert await server.app[CHANGE_LISTENER].refresh("extension *", within=30)
        for name in ("admin", "dnhai", "agent2"):
            status, body = await told(await server.client.get(f"{PATH}/{name}", headers=ADMIN))
            assert (status, body.get("extension", {}).get("extension") if status == 200 else None) == (
                (200, wanted[name]) if name in wanted else (404, None)
            )


async def test_of_two_who_give_away_the_same_extension_exactly_one_wins(database: TestDatabase, pair: Pair) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        statuses = await asyncio.gather(give(one, AGENT_UID, "12342"), give(other, AGENT2_UID, "12342"))
        assert sorted(statuses) == [200, 400]
        winner = ("dnhai", "agent2")[statuses.index(200)]
        assert await held(database) == {winner: "12342"}
        await agree(pair, database)
        assert await take(one, winner) == 200
    assert await held(database) == {}


async def test_somebody_who_is_given_two_at_a_moment_keeps_one(database: TestDatabase, pair: Pair) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        statuses = await asyncio.gather(give(one, AGENT_UID, "12342"), give(other, AGENT_UID, "12343"))
        assert list(statuses) == [200, 200]
        assert list(await held(database)) == ["dnhai"]
    await agree(pair, database)


async def test_two_who_swap_or_take_at_a_moment_leave_nobody_with_two_and_no_deadlock(
    database: TestDatabase, pair: Pair
) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        await give(one, AGENT_UID, "12342")
        await give(one, AGENT2_UID, "12343")
        statuses = await asyncio.gather(
            give(one, AGENT_UID, "12343"), give(other, AGENT2_UID, "12342"), take(one, "dnhai"), take(other, "agent2")
        )
        assert {*statuses[2:]} <= {200, 404}
        numbers = list((await held(database)).values())
        assert len(numbers) == len(set(numbers))
    await agree(pair, database)


async def test_a_command_line_that_assigns_at_the_same_moment_is_no_trouble(database: TestDatabase, pair: Pair) -> None:
    one, other = pair
    for _ in range(ROUNDS):
        given, _assigned = await asyncio.gather(
            give(one, AGENT_UID, "12342"),
            extensions.assign(other.app[DATABASE], "12343", 1795, origin=PREPARED),
            return_exceptions=True,
        )
        assert given == 200
        assert (await held(database)).keys() == {"dnhai"}
        await take(one, "dnhai")


async def test_giving_while_the_person_is_deleted_leaves_no_extension_of_nobody(
    database: TestDatabase, pair: Pair
) -> None:
    one, _ = pair

    async def giving() -> int:
        answer = await one.client.post(PATH, json={"userId": NOPHONE_UID, "extension": "12342"}, headers=ADMIN)
        return answer.status

    status, _done = await asyncio.gather(giving(), database.execute("delete from users where uid = $1", NOPHONE_UID))
    assert status in (200, 404)
    assert await held(database) == {}
    assert await giving() == 404


@pytest.mark.parametrize(
    ("statement", "left"),
    [
        ("delete from users where user_id = 1795", {"free": ["12342", "12343"], "allocated": []}),
        ("delete from extensions where extension = '12342'", {"free": ["12343"], "allocated": []}),
    ],
)
async def test_what_is_deleted_leaves_no_assignment_behind(
    database: TestDatabase, pair: Pair, statement: str, left: dict[str, list[str]]
) -> None:
    await give(pair[0], AGENT_UID, "12342")
    await database.execute(statement)
    for server in pair:
        assert await server.app[CHANGE_LISTENER].refresh("user *", within=30)
        for type_, numbers in left.items():
            query = {"type": type_, "userId": AGENT_UID}
            answer = await server.client.get("/api/v1/omnichannel/extension", params=query, headers=ADMIN)
            assert (await answer.json())["extensions"] == numbers
        assert (await server.client.get(f"{PATH}/dnhai", headers=ADMIN)).status == 404
        assert (await server.registration()).status == 404
        listed = await told(await server.client.get("/api/v1/omnichannel/extensions", headers=ADMIN))
        for item in listed[1]["extensions"]:
            assert "userId" not in item


async def secret(database: TestDatabase, extension: str) -> str:
    (row,) = await database.rows("select secret from extensions where extension = $1", extension)
    found: str = row["secret"]
    return found


async def test_what_one_is_given_instead_frees_what_one_had_and_its_secret_is_another(
    database: TestDatabase, pair: Pair
) -> None:
    one, other = pair
    await give(one, AGENT_UID, "12342")
    before = {number: await secret(database, number) for number in ("12342", "12343")}
    await give(one, AGENT_UID, "12343")
    assert await secret(database, "12342") != before["12342"]
    assert await secret(database, "12343") == before["12343"]
    mine: Any = await (await one.registration()).json()
    assert mine["extensionDetails"]["extension"] == "12343"  # without waiting: it has read what it wrote

    async def heard() -> bool:
        info: Any = await (await other.registration()).json()
        return bool(info["extensionDetails"]["extension"] == "12343")

    await eventually(heard, what="the other process hears of it")


async def test_what_cannot_be_done_changes_nothing(database: TestDatabase, pair: Pair) -> None:
    one, _ = pair
    await give(one, AGENT_UID, "12342")
    await give(one, ADMIN_UID, "12343")
    before = await database.rows("select * from extensions order by extension")
    for extension in ("12343", "none"):
        answer = await one.client.post(PATH, json={"userId": AGENT_UID, "extension": extension}, headers=ADMIN)
        assert answer.status in (400, 404)
    assert await database.rows("select * from extensions order by extension") == before


@pytest.mark.parametrize("statement", ["update extensions set enabled = false", "update users set active = false"])
async def test_what_may_not_register_is_not_listed_but_is_somebodys(
    database: TestDatabase, pair: Pair, statement: str
) -> None:
    one, _ = pair
    await give(one, AGENT_UID, "12342")
    await database.execute(f"{statement} where user_id = 1795")
    assert await one.app[CHANGE_LISTENER].refresh("user *", within=30)
    listed = await told(await one.client.get("/api/v1/omnichannel/extensions", headers=ADMIN))
    assert [item["extension"] for item in listed[1]["extensions"]] == ["12343"]
    for type_, found in (("free", ["12343"]), ("allocated", ["12342"])):
        query = {"type": type_, "userId": ""}
        answer = await one.client.get("/api/v1/omnichannel/extension", params=query, headers=ADMIN)
        assert (await answer.json())["extensions"] == found
    assert (await one.client.get(f"{PATH}/dnhai", headers=ADMIN)).status == 200
