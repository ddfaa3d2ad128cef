"""The page of a set-up link, and what its button shows: once, to whoever holds the link, and to nobody else."""

from __future__ import annotations

import asyncio
import html
import json
import re
from typing import Any

import pytest

from service.domain.phone_kinds import PHONE_KINDS, SetUp
from service.domain.setup_tokens import new_setup_token
from service.web.app_keys import PHONE_ACTIVITY
from service.web.setup.guesses import GUESSES_PER_MINUTE
from service.web.setup.page import style_digest
from tests.integration.setup.support import (
    ENDPOINT,
    PUBLIC_URL,
    SAFE,
    add_phone,
    current,
    entries,
    fetch,
    forgive,
    new_link,
    settings,
)
from tests.support.database import TestDatabase
from tests.support.raw import RawAnswer
from tests.support.server import Server, Start

GERMAN = "Accept-Language: de-AT,de;q=0.9,en;q=0.5"
SHOWING = [name for name, kind in PHONE_KINDS.items() if kind.set_up not in (None, SetUp.FETCHES)]
showing = pytest.mark.parametrize("kind", SHOWING)
POLICY = (
    f"default-src 'none'; style-src '{style_digest()}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
LABEL = 'Ada\'s "<script>alert(1)</script>" & \u05e2\u05d3\u05d4 \U0001f4f1'


@pytest.fixture
async def server(database: TestDatabase, start: Start) -> Server:
    return await start(settings(database))


async def visit(server: Server, token: str, *headers: str, method: str = "GET") -> RawAnswer:
    return await server.raw(f"/p/{token}", *headers, method=method)


async def press(server: Server, token: str, *headers: str) -> RawAnswer:
    """Press the button, as a browser without scripts does."""
    form = "Content-Type: application/x-www-form-urlencoded"
    return await server.raw(f"/p/{token}/show", form, "Content-Length: 0", *headers, method="POST")


async def secret_of(database: TestDatabase) -> str:
    rows = await database.rows("select secret from phones where endpoint = $1", ENDPOINT)
    found: str = rows[0]["secret"]
    return found


async def disclosures(database: TestDatabase) -> list[dict[str, Any]]:
    rows = await database.rows("select subject, details from audit where action = 'secret.disclosed'")
    return [{"phone": row["subject"], **json.loads(row["details"])} for row in rows]


def texts(answer: RawAnswer) -> str:
    """What a reader sees."""
    without_style = re.sub(r"<style>.*?</style>", "", answer.body.decode(), flags=re.DOTALL)
    return html.unescape(re.sub(r"<[^>]+>", "\n", without_style))


@pytest.mark.parametrize("kind", ["linphone", *SHOWING])
async def test_the_page_consumes_nothing_and_shows_no_secret(database: TestDatabase, server: Server, kind: str) -> None:
    phone = await add_phone(database, kind=kind)
    token, secret = await new_link(server, phone), await secret_of(database)
    for language, headers in (("en", ()), ("de", (GERMAN,))):
        for method in ("HEAD", "GET", "GET", "GET", "GET", "GET"):
            answer = await visit(server, token, *headers, method=method)
            assert answer.status == 200
            assert answer.headers["content-type"] == "text/html; charset=utf-8"
            assert answer.headers["content-language"] == language
            assert answer.headers["content-security-policy"] == POLICY
            assert SAFE.items() <= answer.headers.items()
        assert f'<html lang="{language}">' in answer.body.decode()
        assert secret not in answer.body.decode()
        assert "12342" in texts(answer)
    assert await secret_of(database) == secret
    assert await disclosures(database) == []
    rows = await database.rows("select fetches_left, device_hash from phone_setups")
    assert [tuple(row) for row in rows] == [(3, None)]


async def test_linphones_page_leads_to_its_configuration_and_has_no_button(
    database: TestDatabase, server: Server
) -> None:
    token = await new_link(server, await add_phone(database))
    answer = await visit(server, token)
    page = answer.body.decode()
    assert "The telephone system does not answer" in texts(answer), "this server's Asterisk is away"
    url = f"{PUBLIC_URL}/p/{token}/linphone.xml"
    assert f'href="linphone-config:{url}"' in page
    assert "<form" not in page
    assert (await press(server, token)).status == 404
    assert entries(await fetch(server, token))["auth_info_0/username"], "the refused button consumed nothing"


@showing
async def test_the_button_shows_a_new_password_once(database: TestDatabase, server: Server, kind: str) -> None:
    token, before = await new_link(server, await add_phone(database, kind=kind)), await secret_of(database)
    shown = await press(server, token, GERMAN)
    secret = await secret_of(database)
    assert (shown.status, shown.headers["content-security-policy"]) == (200, POLICY)
    assert SAFE.items() <= shown.headers.items()
    assert secret != before
    assert secret in texts(shown), kind
    assert ENDPOINT in texts(shown)
    assert ("<svg" in shown.body.decode()) == (kind == "gswave")
    assert await disclosures(database) == [{"phone": ENDPOINT, "extension": "12342", "as": kind, "fetches_left": 0}]
    again = [
        await press(server, token),
        await visit(server, token),
        await server.raw(f"/p/{token}/show"),
        await visit(server, new_setup_token()),
    ]
    assert {answer.status for answer in again} == {404}
    assert len({answer.body for answer in again}) == 1
    assert secret not in texts(again[0])
    assert await secret_of(database) == secret, "the refused button changed nothing"


async def test_of_many_who_press_at_once_one_is_shown_the_password(database: TestDatabase, server: Server) -> None:
    token = await new_link(server, await add_phone(database, kind="desk"))
    answers = await asyncio.gather(*(press(server, token) for _ in range(10)))
    assert sorted(answer.status for answer in answers) == [200, *[404] * 9]
    (shown,) = (answer for answer in answers if answer.status == 200)
    assert await secret_of(database) in texts(shown)


@pytest.mark.parametrize(
    "change",
    [
        "update phone_setups set link_expires_at = now()",
        "update users set active = false where user_id = 1795",
        "update extensions set enabled = false where extension = '12342'",
        "update phones set secret = 'another one, by hand' where endpoint = '12342.k3f9'",
        "update phones set kind = 'hologram' where endpoint = '12342.k3f9'",
        "delete from phones where endpoint = '12342.k3f9'",
    ],
)
async def test_every_refusal_is_the_same_page(database: TestDatabase, server: Server, change: str) -> None:
    token = await new_link(server, await add_phone(database, kind="desk"))
    await database.execute(change)
    await current(server)
    for headers in ((), (GERMAN,)):
        made_up = await visit(server, new_setup_token(), *headers)
        said = "Link funktioniert nicht" if headers else "link does not work"
        assert said in texts(made_up)
        for answer in (
            await visit(server, token, *headers),
            await press(server, token, *headers),
            await visit(server, "x", *headers),
            await visit(server, "d", *headers),
        ):
            assert (answer.status, answer.body) == (404, made_up.body)
            assert without_id(answer) == without_id(made_up)
    forgive(server)


def without_id(answer: RawAnswer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in ("x-request-id", "date")}


async def test_names_stay_text_in_what_is_shown(database: TestDatabase, server: Server) -> None:
    phone = await add_phone(database, kind="browser-phone")
    await database.execute("update phones set label = $1 where endpoint = $2", LABEL, ENDPOINT)
    await database.execute("update users set first_name = $1, last_name = '' where user_id = 1795", '</pre><b>&\r\n"')
    token = await new_link(server, phone)
    await current(server)
    for answer in (await visit(server, token), await press(server, token)):
        assert answer.status == 200
        assert LABEL in texts(answer)
        assert b"<script" not in answer.body
        assert b"<b>" not in answer.body
    options = json.loads(re.search(r"\{.*\}", texts(answer), re.DOTALL)[0])  # type: ignore[index]
    assert options["profileName"] == '</pre><b>& "'
    assert options["SipPassword"] == await secret_of(database)


async def test_what_the_button_shows_counts_as_a_fetch_and_the_page_does_not(
    database: TestDatabase, server: Server
) -> None:
    phone = await add_phone(database, kind="desk")
    token, activity = await new_link(server, phone), server.app[PHONE_ACTIVITY]
    await visit(server, token)
    await activity.flush()
    assert await database.rows("select from phone_activity") == []
    await press(server, token)
    await press(server, token)
    await activity.flush()
    rows = await database.rows("select phone_id, last_fetched_from from phone_activity")
    assert [tuple(row) for row in rows] == [(phone, "127.0.0.1")]


async def test_groundwires_balance_url_is_on_its_page_and_tells_the_state(
    database: TestDatabase, server: Server
) -> None:
    token = await new_link(server, await add_phone(database, kind="groundwire"))
    found = re.search(rf"{PUBLIC_URL}/p/d/([\w-]{{32}})/balance\.xml", texts(await press(server, token)))
    assert found is not None
    assert found[1] != token
    told = await server.raw(f"/p/d/{found[1]}/balance.xml")
    assert (told.status, b"<balanceString>Unknown</balanceString>" in told.body) == (200, True), "Asterisk is away"


async def test_without_postgresql_a_page_says_so(database: TestDatabase, server: Server) -> None:
    token = await new_link(server, await add_phone(database, kind="desk"))
    await database.execute("alter table phone_setups rename to away")
    refused = await press(server, token)
    assert (refused.status, refused.headers["retry-after"].isdigit()) == (503, True)
    assert "Not available at the moment" in texts(refused)
    assert (await visit(server, token)).status == 200, "from memory"


async def test_too_many_wrong_links_get_a_page_too_and_a_right_one_its_own(
    database: TestDatabase, server: Server
) -> None:
    token = await new_link(server, await add_phone(database, kind="desk"))
    for _ in range(GUESSES_PER_MINUTE):
        assert (await visit(server, new_setup_token())).status == 404
    refused = await visit(server, new_setup_token(), GERMAN)
    assert (refused.status, refused.headers["connection"]) == (429, "close")
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert "Zurzeit nicht verfügbar" in texts(refused)
    assert (await visit(server, token)).status == (await press(server, token)).status == 200


async def test_no_log_line_holds_the_link_or_what_it_showed(
    database: TestDatabase, server: Server, logged: list[dict[str, object]]
) -> None:
    token = await new_link(server, await add_phone(database, kind="gswave"))
    await press(server, token)
    await press(server, token)
    assert token not in str(logged)
    assert await secret_of(database) not in str(logged)
