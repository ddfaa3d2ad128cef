"""10,000 people and 10,000 extensions: pages, searches and orders, with every kind of name."""

from __future__ import annotations

from collections.abc import AsyncIterator
from time import process_time
from typing import Any

import pytest

from tests.support.database import TestDatabase, cloned
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, serving

EXTENSIONS, AVAILABLE = "/api/v1/omnichannel/extensions", "/api/v1/omnichannel/agents/available"
FIRST, MIDDLE, LAST = 40001, 45000, 50000
"""Who is above the middle has the extension of the same number; the others have none, and these are free."""
PEOPLE = """
    insert into users (user_id, uid, name, fullname, passwd, user_type)
    select n, translate(lpad(n::text, 17, '0'), '01', 'ab'), 'person' || n, 'Person ' || n, 'x', 'agent'
    from generate_series(40001, 50000) as n
"""
NUMBERS = """
    insert into extensions (extension, secret, call_server, user_id)
    select n::text, 'secret', 'main', case when n > 45000 then n end from generate_series(40001, 50000) as n
"""
NAMED = """
    insert into users (user_id, uid, name, fullname, passwd, user_type)
    select 60000 + n, translate(lpad(n::text, 17, '0'), '01', 'ab'), 'strange' || n, fullname, 'x', 'agent'
    from unnest($1::text[]) with ordinality as strange (fullname, n)
"""
LOOKED_FOR = {
    "o'bri": "O'Brien",
    '"); DROP': 'Robert"); drop table users;--',
    "ÜNÏ": "Ünïcödé Ærø",
    "æRØ": "Ünïcödé Ærø",
    "字": "漢字",
    ".*": "a.*b",
    "[X": "[x]",
    "%": "100%",
    "r_s": "under_score",
    "STRASSE": "Straße",
    "\\": "back\\slash",
    "🦊": "🦊 fox",
}


@pytest.fixture(scope="module")
async def many(template: TestDatabase) -> AsyncIterator[tuple[TestDatabase, Server]]:
    with cloned(template) as database:
        await database.execute(PEOPLE)
        await database.execute(NUMBERS)
        await database.execute(NAMED, sorted(set(LOOKED_FOR.values())))
        async with serving(database.settings(requests_per_minute=100_000)) as server:
            yield database, server


async def asked(server: Server, path: str, **query: Any) -> dict[str, Any]:
    answer = await server.client.get(path, params=query, headers=ADMIN)
    assert answer.status == 200, await answer.text()
    found: dict[str, Any] = await answer.json()
    return found


async def test_pages_are_in_order_and_miss_nobody_while_extensions_are_added(many: tuple[TestDatabase, Server]) -> None:
    database, server = many
    seen: list[str] = []
    made = 0
    while True:
        body = await asked(server, EXTENSIONS, offset=len(seen), count=100)
        seen += [item["extension"] for item in body["extensions"]]
        if not body["extensions"]:
            break
        if len(seen) % 1000 == 0 and made < 10:  # one that sorts before all that was seen, and one far behind
            statement = "insert into extensions (extension, secret, call_server) values ($1, 'secret', 'main')"
            await database.execute(statement, f"400-{made}")
            await database.execute(statement, f"z{made}")
            made += 1
            total = body["total"] + 2

            async def listed(total: int = total) -> bool:  # two at once would show two numbers again
                return bool((await asked(server, EXTENSIONS, count=1))["total"] == total)

            await eventually(listed, what="both are listed")
    assert made == 10
    assert seen == sorted(seen)
    assert {str(number) for number in range(FIRST, LAST + 1)} <= set(seen)


async def test_each_page_has_its_people(many: tuple[TestDatabase, Server]) -> None:
    _, server = many
    body = await asked(server, EXTENSIONS, extension="49999")
    (item,) = body["extensions"]
    assert (item["username"], item["name"], body["total"]) == ("person49999", "Person 49999", 1)
    assert await asked(server, EXTENSIONS, agentId=item["userId"]) == body
    everything = await asked(server, EXTENSIONS, count=0)
    assert len(everything["extensions"]) == everything["total"] >= 10_002


async def test_all_that_are_free_and_all_that_are_not(many: tuple[TestDatabase, Server]) -> None:
    _, server = many
    free = (await asked(server, "/api/v1/omnichannel/extension", type="free", userId=""))["extensions"]
    taken = (await asked(server, "/api/v1/omnichannel/extension", type="allocated", userId=""))["extensions"]
    assert set(free) & set(taken) == set()
    assert {str(number) for number in range(FIRST, MIDDLE + 1)} <= set(free)
    assert {str(number) for number in range(MIDDLE + 1, LAST + 1)} <= set(taken)


@pytest.mark.parametrize(("text", "name"), LOOKED_FOR.items())
async def test_text_is_looked_for_as_it_is_in_any_case(many: tuple[TestDatabase, Server], text: str, name: str) -> None:
    _, server = many
    body = await asked(server, AVAILABLE, text=text)
    assert ([agent["name"] for agent in body["agents"]], body["total"]) == ([name], 1)


async def test_agents_are_in_the_order_that_was_asked_for(many: tuple[TestDatabase, Server]) -> None:
    _, server = many
    names = [
        [agent["username"] for agent in (await asked(server, AVAILABLE, text="person4", count=3, sort=sort))["agents"]]
        for sort in ("", '{"username":-1}', '{"name":"desc","_id":1}')
    ]
    first, last = ["person40001", "person40002", "person40003"], ["person45000", "person44999", "person44998"]
    assert names == [first, last, last]
    by_id = await asked(server, AVAILABLE, text="person4", count=100, sort='{"_id":1}')
    uids = [agent["_id"] for agent in by_id["agents"]]
    assert uids == sorted(uids)


async def test_pages_of_agents_are_all_of_them_once(many: tuple[TestDatabase, Server]) -> None:
    _, server = many
    seen: list[str] = []
    while page := (await asked(server, AVAILABLE, offset=len(seen), count=100, text="person"))["agents"]:
        seen += [agent["username"] for agent in page]
    assert sorted(seen) == [f"person{number}" for number in range(FIRST, MIDDLE + 1)]
    held = await asked(server, AVAILABLE, text="person49", includeExtension="49000")
    assert [agent["extension"] for agent in held["agents"]] == ["49000"]


@pytest.mark.parametrize(
    ("path", "query"), [(EXTENSIONS, {"status": "Unknown"}), (AVAILABLE, {"text": "person", "sort": '{"name":1}'})]
)
async def test_a_question_does_not_hold_the_others_for_long(
    many: tuple[TestDatabase, Server], path: str, query: dict[str, str]
) -> None:
    """The processor time of this process, the quickest of some: the machine may be busy with others."""
    _, server = many
    took = []
    for _ in range(5):
        began = process_time()
        await asked(server, path, **query)
        took.append(process_time() - began)
    assert min(took) < 0.25
