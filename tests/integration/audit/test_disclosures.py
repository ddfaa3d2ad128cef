"""Disclosures and refusals: rows in batches, from where, and what is no disclosure."""

from __future__ import annotations

import asyncio
import json

import asyncpg
import pytest

from service.cli.demo import ADMIN_TOKEN
from service.web.http.disclosures import DISCLOSURES
from service.web.http.refusals import REFUSALS
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, ADMIN_UID, AGENT_UID, REGISTRATION, Server, Start

BY_EXTENSION = "/api/v1/connector.extension.getRegistrationInfoByExtension"
DETAILS = "/api/v1/connector.extension.getDetails"
HEADERS = [f"X-Auth-Token: {ADMIN_TOKEN}", f"X-User-Id: {ADMIN_UID}"]
WRONG = {**ADMIN, "X-Auth-Token": "w" * 43}


async def rows_of(database: TestDatabase, action: str, number: int = 1) -> list[asyncpg.Record]:
    """The rows of an action, once there are so many."""

    async def enough() -> list[asyncpg.Record] | None:
        rows = await database.rows("select * from audit where action = $1 order by audit_id", action)
        return rows if len(rows) >= number else None

    found: list[asyncpg.Record] = await eventually(enough, what=f"{number} rows of {action}")
    assert len(found) == number, found
    return found


def disclosed(server: Server) -> int:
    return sum(batch.count for batch in server.app[DISCLOSURES].batches._batches.values())


async def test_who_was_told_a_password_is_a_row_at_once(database: TestDatabase, server: Server) -> None:
    agent = await server.headers_of()
    answer = await server.client.get(
        REGISTRATION, params={"id": AGENT_UID}, headers={**agent, "X-Request-Id": "the-first"}
    )
    assert answer.status == 200
    (row,) = await rows_of(database, "secret.disclosed")
    assert (row["actor"], row["actor_id"], row["subject"], row["count"]) == ("dnhai", 1795, "12342", 1)
    assert (row["address"], row["request_id"]) == ("127.0.0.1", "the-first")
    assert (row["subject_kind"], json.loads(row["details"])) == ("phone", {"extension": "12342"})
    for _ in range(7):
        assert (await server.registration(headers=agent)).status == 200
    assert disclosed(server) == 8
    assert len(await database.rows("select from audit where action = 'secret.disclosed'")) == 1


async def test_a_304_and_an_error_disclose_nothing(server: Server) -> None:
    answer = await server.registration()
    assert disclosed(server) == 1
    tag = answer.headers["ETag"]
    for path, params in ((REGISTRATION, {"id": AGENT_UID}), (BY_EXTENSION, {"extension": "12342"})):
        again = await server.client.get(path, params=params, headers={**ADMIN, "If-None-Match": tag})
        assert again.status == 304
    agent = await server.headers_of()
    for params in ({"id": ADMIN_UID}, {}):  # forbidden, and malformed
        assert (await server.client.get(REGISTRATION, params=params, headers=agent)).status in (400, 403)
    assert (await server.client.get(DETAILS, params={"extension": "none"}, headers=ADMIN)).status == 404
    assert (await server.registration(headers=WRONG)).status == 401
    assert disclosed(server) == 1
    for path in (BY_EXTENSION, DETAILS):
        assert (await server.client.get(path, params={"extension": "12342"}, headers=ADMIN)).status == 200
    assert disclosed(server) == 3


@pytest.mark.parametrize("plain", [True, False])
async def test_disclosures_are_kept_apart_by_address_and_ipv6_prefix_behind_a_proxy(
    database: TestDatabase, start: Start, plain: bool
) -> None:
    server = await start(database.settings(trusted_proxies=["127.0.0.1"]))
    more = [] if plain else ["Accept-Encoding: gzip", "Accept-Encoding: br", "TE: trailers"]  # the last is not plain
    for address in ("192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:1::2", "2001:db8:0:2::1", "192.0.2.1"):
        forwarded = f"X-Forwarded-For: 203.0.113.9, {address}"
        answer = await server.raw(f"{REGISTRATION}?id={AGENT_UID}", *HEADERS, forwarded, *more)
        assert answer.status == 200
    rows = await rows_of(database, "secret.disclosed", 4)
    assert [row["address"] for row in rows] == ["192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:2::1"]
    assert disclosed(server) == 6


async def test_without_a_trusted_proxy_what_a_client_says_of_its_address_counts_for_nothing(server: Server) -> None:
    for number in range(20):
        line = f"X-Forwarded-For: 198.51.100.{number}"
        assert (await server.raw(f"{REGISTRATION}?id={AGENT_UID}", *HEADERS, line)).status == 200
    assert (len(server.app[DISCLOSURES].batches), disclosed(server)) == (1, 20)


async def test_several_forwarded_headers_are_one_list(database: TestDatabase, start: Start) -> None:
    server = await start(database.settings(trusted_proxies=["127.0.0.1", "203.0.113.0/24"]))
    lines = ["X-Forwarded-For: 192.0.2.77", "X-Forwarded-For: 203.0.113.5"]
    assert (await server.raw(f"{REGISTRATION}?id={AGENT_UID}", *HEADERS, *lines)).status == 200
    (row,) = await rows_of(database, "secret.disclosed")
    assert row["address"] == "192.0.2.77"


async def test_a_long_poll_that_answers_a_new_secret_discloses_it(database: TestDatabase, server: Server) -> None:
    tag = (await server.registration()).headers["ETag"]
    waiting = asyncio.create_task(
        server.client.get(
            REGISTRATION, params={"id": AGENT_UID, "wait": "20"}, headers={**ADMIN, "If-None-Match": tag}
        ).__aenter__()
    )
    await database.execute("update phones set secret = 'another secret 123' where endpoint = '12342'")
    answer = await asyncio.wait_for(waiting, 20)
    assert answer.status == 200
    answer.close()
    assert disclosed(server) == 2


async def test_refused_logins_are_counted_by_address_and_whose_name_it_was(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    server = await start(database.settings(trusted_proxies=["127.0.0.1"]))
    for name, address in (("dnhai", "192.0.2.1"), ("dnhai", "192.0.2.1"), ("nobody", "192.0.2.1"), ("dnhai", "::2")):
        answer = await server.client.post(
            "/api/v1/login", json={"user": name, "password": "wrong"}, headers={"X-Forwarded-For": address}
        )
        assert answer.status == 401

    async def rows() -> list[asyncpg.Record]:
        return await database.rows("select * from audit where action = 'login.refused' order by audit_id")

    async def three() -> bool:
        return len(await rows()) == 3

    await eventually(three)
    found = {(row["address"], row["subject"], row["subject_id"]) for row in await rows()}
    assert found == {("192.0.2.1", "dnhai", 1795), ("192.0.2.1", None, None), ("::2", "dnhai", 1795)}
    assert {(row["actor_kind"], row["actor"]) for row in await rows()} == {("unknown", None)}
    lines = [line for line in logged if line["event"] == "login_refused"]
    assert {line["address"] for line in lines} == {"192.0.2.1", "::2"}
    assert all(line["log_level"] == "warning" for line in lines)
    assert "nobody" not in str(lines)


async def test_a_throttled_login_is_a_refused_one(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    server = await start(database.settings(login_failures_per_minute=1))
    for status in (401, 429, 429):
        answer = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "wrong"})
        assert answer.status == status
    assert sum(batch.count for batch in server.app[REFUSALS]._logins._batches.values()) == 3


async def test_refused_tokens_are_no_refused_logins_also_where_a_login_resumes_one(
    database: TestDatabase, server: Server, logged: list[dict[str, object]]
) -> None:
    assert (await server.registration(headers=WRONG)).status == 401
    assert (await server.client.get("/user/1795", headers=WRONG)).status == 401
    assert (await server.client.post("/api/v1/login", json={"resume": "w" * 43})).status == 401
    (row,) = await rows_of(database, "token.refused")
    assert (row["address"], row["subject"], row["actor_kind"]) == ("127.0.0.1", None, "unknown")
    assert not await database.rows("select from audit where action = 'login.refused'")
    assert not [line for line in logged if line["event"] == "login_refused"]
    assert len([line for line in logged if line["event"] == "token_refused"]) >= 1
    assert "w" * 43 not in str(logged)
    batches = server.app[REFUSALS]._tokens
    assert sum(batch.count for batch in batches._batches.values()) == 3


async def test_a_missing_token_is_no_refused_one(server: Server) -> None:
    assert (await server.client.get("/api/v1/me")).status == 401
    assert len(server.app[REFUSALS]._tokens) == 0


async def test_lines_of_refusals_are_limited_and_say_how_many_were_left_out(
    server: Server, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within one second, however long the machine takes to refuse them."""
    limit = server.app[REFUSALS]._token_lines
    began = limit._clock()
    monkeypatch.setattr(limit, "_clock", lambda: began)
    for _ in range(40):
        assert (await server.registration(headers=WRONG)).status == 401

    def all_told() -> bool:
        lines = sum(line["event"] == "token_refused" for line in logged)
        left_out = sum(int(str(line["tokens"])) for line in logged if line["event"] == "refusal_lines_left_out")
        return (lines, left_out) == (1, 39)

    await eventually(all_told, what="one refusal has a line, and the others are counted")


async def test_strangers_from_everywhere_cost_bounded_memory_and_rows(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The minute of the batches does not end, however busy the machine is. Many ask at once: they share proofs."""
    server = await start(database.settings(trusted_proxies=["127.0.0.1"]))
    batches = server.app[REFUSALS]._tokens
    began = batches._clock()
    monkeypatch.setattr(batches, "_clock", lambda: began)

    async def ask(number: int) -> int:
        return (await server.registration(headers={**WRONG, "X-Forwarded-For": f"2001:db8:{number:x}::1"})).status

    for first in range(0, 900, 30):
        statuses = await asyncio.gather(*map(ask, range(first, first + 30)))
        assert set(statuses) == {401}
    assert (len(batches), batches.lost) == (501, 400)
    rows = await rows_of(database, "token.refused", 501)
    assert sum(row["count"] for row in rows) <= 900
    (overflow,) = [row for row in rows if json.loads(row["details"]).get("overflow")]
    assert overflow["address"] is None
    metrics = await (await server.client.get("/metrics")).text()
    assert 'connector_audit_events_lost_total{action="token.refused"} 400.0' in metrics
    assert 'connector_audit_rows_total{action="token.refused"} 501.0' in metrics
