"""Wrong tokens are limited per source; right ones never are."""

from __future__ import annotations

import pytest

from service.domain.setup_tokens import new_setup_token
from service.web.http.rate_limit import MAX_SOURCES
from service.web.setup.guesses import GUESSES, GUESSES_PER_MINUTE, Guesses
from tests.integration.audit.test_disclosures import rows_of
from tests.integration.setup.support import SAFE, add_phone, device_token, fetch, new_link, read, settings
from tests.support.database import TestDatabase
from tests.support.server import Server, Start


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    await add_phone(database)
    return await start(settings(database, trusted_proxies=["127.0.0.1"]))


async def guess(server: Server, address: str) -> int:
    return (await fetch(server, new_setup_token(), f"X-Forwarded-For: {address}")).status


async def test_a_source_of_wrong_tokens_gets_429_and_right_ones_are_always_answered(
    database: TestDatabase, server: Server
) -> None:
    rows = await database.rows("select phone_id from phones where kind = 'linphone'")
    link = await new_link(server, rows[0]["phone_id"])
    statuses = [await guess(server, "192.0.2.7") for _ in range(GUESSES_PER_MINUTE + 5)]
    assert statuses == [404] * GUESSES_PER_MINUTE + [429] * 5
    limited = await fetch(server, new_setup_token(), "X-Forwarded-For: 192.0.2.7")
    assert SAFE.items() <= limited.headers.items()
    assert 0 < int(limited.headers["retry-after"]) <= 60
    assert limited.headers["connection"] == "close", "each further guess costs a connection"
    assert await guess(server, "192.0.2.8") == 404, "another office"
    office = "X-Forwarded-For: 192.0.2.7"
    device = device_token(await fetch(server, link, office))
    assert {(await read(server, device, office)).status for _ in range(2 * GUESSES_PER_MINUTE)} == {200}


async def test_an_ipv6_customer_is_one_source(server: Server) -> None:
    statuses = [await guess(server, f"2001:db8::{number:x}") for number in range(GUESSES_PER_MINUTE + 1)]
    assert statuses[-1] == 429
    assert await guess(server, "2001:db8:0:1::1") == 404


async def test_guesses_are_audited_as_refused_tokens_in_one_batch(database: TestDatabase, server: Server) -> None:
    for _ in range(10):
        await guess(server, "192.0.2.7")
    (row,) = await rows_of(database, "token.refused")
    assert (row["address"], row["actor_kind"]) == ("192.0.2.7", "unknown")


async def test_sources_beyond_the_bound_share_a_count(server: Server) -> None:
    guesses = server.app[GUESSES]
    for number in range(MAX_SOURCES):
        guesses.check(str(number))
    for number in range(MAX_SOURCES, MAX_SOURCES + GUESSES_PER_MINUTE):
        guesses.check(str(number))
    assert len(guesses._counts) == MAX_SOURCES + 1
    assert await guess(server, "192.0.2.7") == 429
    guesses.check("0")  # who was counted before still has a count of their own


def test_a_minute_later_nothing_is_limited() -> None:
    now = 0.0
    guesses = Guesses(1, lambda: now)
    guesses.check("source")
    now = 60.0
    guesses.check("source")
