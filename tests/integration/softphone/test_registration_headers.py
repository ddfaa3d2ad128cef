"""What goes with a registration answer: liveness, caching, exposed headers."""

from __future__ import annotations

import json
import re

from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION, Server, Start

ALWAYS = ("Cache-Control", "ETag", "X-State-Live", "X-Poll-Interval", "Access-Control-Expose-Headers")
NOT_LIVE = ("X-State-Since", "X-State-Reason")


async def test_an_answer_tells_whether_it_is_live_and_how_often_to_ask(server: Server) -> None:
    answer = await server.registration()
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Poll-Interval"] == "10"
    assert answer.headers["X-State-Live"] == "false"
    assert answer.headers["X-State-Reason"] == "disconnected"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", answer.headers["X-State-Since"])
    assert re.fullmatch(r'"[0-9a-f]{32}"', answer.headers["ETag"])


async def test_scripts_in_a_browser_may_read_every_header_that_is_ours(server: Server) -> None:
    exposed = {name.strip() for name in (await server.registration()).headers[ALWAYS[-1]].split(",")}
    assert exposed >= {
        "ETag", "X-State-Live", "X-State-Since", "X-State-Reason", "X-Directory-Stale-Since", "X-Poll-Interval",
    }  # fmt: skip


async def test_a_known_tag_is_answered_304_with_the_same_headers(server: Server) -> None:
    first = await server.registration()
    for known in (first.headers["ETag"], f'"other", {first.headers["ETag"]}', f"W/{first.headers['ETag']}", "*"):
        again = await server.client.get(
            REGISTRATION, params={"id": AGENT_UID}, headers={**ADMIN, "If-None-Match": known}
        )
        assert (again.status, await again.read()) == (304, b"")
        for name in (*ALWAYS, *NOT_LIVE):
            assert again.headers[name] == first.headers[name]


async def test_an_unknown_or_malformed_tag_gets_the_answer(server: Server) -> None:
    for known in ('"other"', "nonsense", '"', ""):
        headers = {**ADMIN, "If-None-Match": known}
        assert (await server.client.get(REGISTRATION, params={"id": AGENT_UID}, headers=headers)).status == 200


async def test_a_tag_is_compared_only_after_authorisation(server: Server) -> None:
    known = {"If-None-Match": (await server.registration()).headers["ETag"]}
    agent = await server.headers_of(1796, "Sq7mWdXk3nPzT9cRb")
    for headers, status in (({}, 401), (agent, 403)):
        answer = await server.client.get(REGISTRATION, params={"id": AGENT_UID}, headers={**headers, **known})
        assert answer.status == status
        assert "ETag" not in answer.headers


async def test_two_replicas_give_the_same_bytes_and_the_same_tag(database: TestDatabase, start: Start) -> None:
    settings = database.settings()
    one, other = await start(settings), await start(settings)
    answers = [await replica.registration() for replica in (one, other)]
    assert await answers[0].read() == await answers[1].read()
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"]


async def test_another_installations_tag_for_the_same_answer_is_another(database: TestDatabase, start: Start) -> None:
    """Keyed: whoever sees a tag in a log cannot try passwords against it."""
    one = await start(database.settings())
    await database.execute("update service_keys set key = decode(repeat('ab', 32), 'hex') where name = 'etag'")
    other = await start(database.settings())
    assert (await one.registration()).headers["ETag"] != (await other.registration()).headers["ETag"]


async def test_a_new_secret_changes_the_tag(database: TestDatabase, server: Server) -> None:
    before = (await server.registration()).headers["ETag"]
    await database.execute("update extensions set secret = 'another' where extension = '12342'")

    async def another() -> bool:
        return (await server.registration()).headers["ETag"] != before

    await eventually(another)


async def test_an_answer_can_carry_rocketchats_success(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(rocketchat_success=True))
    answer = await (await server.registration()).read()
    assert list(json.loads(answer)) == ["host", "callServerConfig", "extensionDetails", "success"]
    assert answer.endswith(b',"success":true}')


async def test_an_answer_is_the_seeds_to_the_byte(server: Server) -> None:
    assert await (await server.registration()).read() == (
        b'{"host":"pbx.example.com",'
        b'"callServerConfig":{"websocketPort":"443","websocketPath":"wss://pbx.example.com/ws"},'
        b'"extensionDetails":{"extension":"12342","password":"my$up3erP@ssw0rd","authtype":"password",'
        b'"state":"Unknown"}}'
    )


async def test_head_answers_the_same_headers_without_a_body(server: Server) -> None:
    lines = [f"{name}: {value}" for name, value in ADMIN.items()]
    answer = await server.raw(f"{REGISTRATION}?id={AGENT_UID}", *lines, method="HEAD")
    assert answer.status == 200
    assert answer.headers["etag"] == (await server.registration()).headers["ETag"]
