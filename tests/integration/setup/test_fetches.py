"""A phone sets itself up by a link, then reads the URL of its own."""

from __future__ import annotations

import hashlib

from service.domain.setup_tokens import LINK_FETCHES
from tests.integration.setup.support import (
    ENDPOINT,
    SAFE,
    add_phone,
    current,
    device_token,
    entries,
    fetch,
    new_link,
    read,
    settings,
)
from tests.support.database import TestDatabase
from tests.support.server import Start


def ha1_of(secret: str) -> str:
    return hashlib.md5(f"{ENDPOINT}:asterisk:{secret}".encode(), usedforsecurity=False).hexdigest()


async def secret_of(database: TestDatabase) -> str:
    rows = await database.rows("select secret from phones where endpoint = $1", ENDPOINT)
    found: str = rows[0]["secret"]
    return found


async def test_a_link_becomes_a_lasting_url_that_answers_the_present_password(
    database: TestDatabase, start: Start
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    first = await fetch(server, await new_link(server, phone))
    assert SAFE.items() <= first.headers.items()
    assert first.headers["content-type"] == "application/xml; charset=utf-8"
    token = device_token(first)
    assert entries(first)["auth_info_0/ha1"] == ha1_of(await secret_of(database))
    again = await read(server, token)
    assert SAFE.items() <= again.headers.items()
    assert again.body == first.body
    await database.execute(
        "update phones set secret = 'rotated later', former_until = now() + '1 h' where phone_id = $1", phone
    )
    await current(server)
    rotated = await read(server, token)
    assert entries(rotated)["auth_info_0/ha1"] == ha1_of("rotated later"), "not the former one, which is valid too"


async def test_each_fetch_ends_what_the_one_before_got(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    answers = [await fetch(server, link) for _ in range(LINK_FETCHES)]
    tokens = [device_token(answer) for answer in answers]
    assert [(await read(server, token)).status for token in tokens] == [404, 404, 200]
    assert (await fetch(server, link)).status == 404
    assert (await read(server, tokens[-1])).body == answers[-1].body, "the refused fetch changed nothing"


async def test_a_head_request_consumes_nothing(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    for _ in range(2 * LINK_FETCHES):
        head = await server.raw(f"/p/{link}/linphone.xml", method="HEAD")
        assert (head.status, head.body) == (200, b"")
        assert SAFE.items() <= head.headers.items()
    assert entries(await fetch(server, link))["auth_info_0/ha1"] == ha1_of(await secret_of(database))


async def test_a_link_scanner_is_left_with_nothing_once_the_phone_has_fetched(
    database: TestDatabase, start: Start
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    await server.raw(f"/p/{link}/linphone.xml", method="HEAD")
    scanned = await fetch(server, link, "User-Agent: Slackbot-LinkExpanding 1.0")
    phones = await fetch(server, link, "User-Agent: Unknown")
    assert entries(phones)["auth_info_0/ha1"] == ha1_of(await secret_of(database))
    assert entries(scanned)["auth_info_0/ha1"] != entries(phones)["auth_info_0/ha1"]
    assert (await read(server, device_token(scanned))).status == 404
    assert (await read(server, device_token(phones))).status == 200


async def test_the_url_never_comes_from_the_host_header(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    told = await fetch(
        server, link, "X-Forwarded-Host: evil.example.com", "Forwarded: host=evil.example.com", "Referer: https://evil"
    )
    device_token(told)  # begins with the setting
    assert b"evil" not in told.body
    assert b"test/" not in told.body
    assert b"Host: test" not in told.body
