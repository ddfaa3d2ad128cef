"""Every refusal under `/p/` is one and the same 404."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.setup.support import (
    SAFE,
    add_phone,
    current,
    device_token,
    fetch,
    forgive,
    new_link,
    settings,
)
from tests.support.database import TestDatabase, call_server, cloned
from tests.support.raw import RawAnswer
from tests.support.server import Server, Start, serving

UNKNOWN = "A" * 32
VARYING = ("date", "x-request-id")


def shown(answer: RawAnswer) -> tuple[int, dict[str, str], bytes]:
    """All of an answer but the time and the request's id."""
    return answer.status, {name: value for name, value in answer.headers.items() if name not in VARYING}, answer.body


@pytest.fixture(scope="module")
async def served(template: TestDatabase) -> AsyncIterator[Server]:
    """A service that has links, for all tests that change nothing."""
    with cloned(template) as database:
        async with serving(settings(database)) as server:
            yield server


async def refusal(server: Server) -> tuple[int, dict[str, str], bytes]:
    """The answer to a token that nobody ever had."""
    forgive(server)
    answer = shown(await fetch(server, UNKNOWN))
    assert answer[0] == 404
    assert SAFE.items() <= answer[1].items()
    assert not [name for name in answer[1] if name.startswith("access-control")]
    return answer


@pytest.mark.parametrize(
    "path",
    [
        f"/p/{UNKNOWN}/linphone.xml",
        f"/p/d/{UNKNOWN}/linphone.xml",
        f"/p/d/{UNKNOWN}/balance.xml",
        "/p/x/linphone.xml",
        "/p/d/linphone.xml",
        "/p/d/%00/linphone.xml",
        "/p/../p/%2e/linphone.xml",
        f"/p//{UNKNOWN}/linphone.xml",
        f"//p/{UNKNOWN}/linphone.xml",
        f"/p/{'A' * 31}%0D/linphone.xml",
        f"/p/{'A' * 31}%C3%A9/linphone.xml",
        f"/p/{'A' * 7000}/linphone.xml",
        f"/p/d/{'A' * 7000}/balance.xml",
        f"/p/{UNKNOWN}/linphone.xml?x=1",
        f"/p/{UNKNOWN}/",
        f"/p/{UNKNOWN}/other.xml",
        "/p/",
        "/p",
        "/p/d/",
        "/p/" + "/".join("abcdefghijklmnopqrstuvwxyz"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
async def test_whatever_is_asked_for_with_a_wrong_token_gets_the_same_404(
    served: Server, path: str, method: str
) -> None:
    origin = ("Origin: https://phone.example.com", "Access-Control-Request-Method: GET")
    assert shown(await served.raw(path, *origin, method=method)) == await refusal(served)


ENDINGS: dict[str, str] = {
    "the phone is deleted": "delete from phones where phone_id = $1",
    "the password ended": "update phones set secret = 'another one in psql' where phone_id = $1",
    "the person is deactivated": "update users set active = false where user_id = 1795",
    "the person is deleted": "delete from users where user_id = 1795",
    "a new password of the person": "update users set passwd = 'another hash' where user_id = 1795",
    "the extension is disabled": "update extensions set enabled = false where extension = '12342'",
    "the extension is taken away": "update extensions set user_id = null where extension = '12342'",
    "another kind": "update phones set kind = 'gswave' where phone_id = $1",
    "a kind of a newer release": "update phones set kind = 'hologram' where phone_id = $1",
    "link and URL are taken away": "delete from phone_setups where phone_id = $1",
}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_whatever_ended_a_link_and_a_url_the_answer_is_the_same_404(
    database: TestDatabase, start: Start, ending: str
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))
    paths = (f"/p/{link}/linphone.xml", f"/p/d/{device}/linphone.xml")
    assert [(await server.raw(path, method="HEAD")).status for path in paths] == [200, 200]
    await database.execute(ENDINGS[ending].replace("$1", str(phone)))
    await current(server)
    for path in paths:
        assert shown(await server.raw(path)) == await refusal(server)


async def test_where_asterisk_owns_the_passwords_the_answer_is_the_same_404(
    database: TestDatabase, start: Start
) -> None:
    phone, managed = await add_phone(database), await start(settings(database))
    link = await new_link(managed, phone)
    device = device_token(await fetch(managed, link))
    server = await start(settings(database, call_servers={"main": call_server(credentials="imported")}))
    for path in (f"/p/{link}/linphone.xml", f"/p/d/{device}/linphone.xml"):
        assert (await managed.raw(path, method="HEAD")).status == 200
        assert shown(await server.raw(path)) == await refusal(server)


async def test_a_used_up_an_expired_and_a_replaced_link_are_the_same_404(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    replaced = await new_link(server, phone)
    used_up = await new_link(server, phone)
    for _ in range(3):
        assert (await fetch(server, used_up)).status == 200
    expired = await new_link(server, phone)
    await database.execute("update phone_setups set link_expires_at = now()")
    await current(server)
    for link in (replaced, used_up, expired):
        assert shown(await fetch(server, link)) == await refusal(server)


async def test_a_link_that_expires_in_memory_needs_no_news(database: TestDatabase, start: Start) -> None:
    """PostgreSQL would still serve it: the expiry that memory knows decides first."""
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    await database.execute("update phone_setups set link_expires_at = now() + '1 ms'")
    await current(server)
    assert shown(await fetch(server, link)) == await refusal(server)


async def test_a_token_of_the_wrong_kind_is_the_same_404(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    link = await new_link(server, phone)
    device = device_token(await fetch(server, link))
    for path in (f"/p/{device}/linphone.xml", f"/p/d/{link}/linphone.xml", f"/p/d/{link}/balance.xml"):
        assert shown(await server.raw(path)) == await refusal(server)


async def test_without_a_public_url_there_is_nothing(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database, public_url=None))
    link = await new_link(server, phone)
    assert shown(await fetch(server, link)) == await refusal(server)
