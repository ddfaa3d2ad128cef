"""Whoever is deleted, deactivated or parted from their extension: their token ends, and the secret their phone knows.

Real phones on a real Asterisk. What a phone has registered before goes on until it expires, and is shown as what it is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from local.baresip import Phone, PhoneError
from service.db import extensions
from service.web.app_keys import DATABASE
from tests.support.database import TestDatabase, copied
from tests.support.eventually import eventually
from tests.support.origins import PREPARED
from tests.support.pbx import Pbx, make_pbx
from tests.support.server import ADMIN, Server, Start

PASSWORD = "a password"
TRACKED, TOLD = 30.0, 10.0
"""Seconds within which a new extension is live, and within which a change has got here."""


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """One Asterisk: what is tested is what our schema lets it see, the same for all of them."""
    made = make_pbx(tmp_path_factory, copied(template, "user_phones"))
    with made.asterisk:
        yield made


@contextlib.asynccontextmanager
async def registered(pbx: Pbx, number: str, secret: str) -> AsyncIterator[Phone]:
    with pbx.phone(number, secret) as phone:
        await asyncio.to_thread(phone.wait_registered)
        yield phone


async def refused(pbx: Pbx, number: str, secret: str) -> None:
    with pbx.phone(number, secret) as phone, pytest.raises(PhoneError, match="refused"):
        await asyncio.to_thread(phone.wait_registered)


async def asked(server: Server, method: str, path: str, given: Any = None) -> Any:
    answer = await server.client.request(method, path, json=given, headers=ADMIN)
    assert answer.status == 200, await answer.text()
    return await answer.json()


async def with_a_phone(server: Server, number: str, secret: str) -> tuple[int, dict[str, str]]:
    """Somebody new, with an extension: their number and their headers."""
    given = {"name": f"holder of {number}", "passwd": PASSWORD, "user_type": "agent"}
    made = await asked(server, "POST", "/user/create", given)
    await extensions.create(server.app[DATABASE], number, "main", "sip", secret, origin=PREPARED)
    await extensions.assign(server.app[DATABASE], number, made["payload"]["user_id"], origin=PREPARED)
    headers = await server.login(given["name"], PASSWORD)
    await server.shows("Unavailable", headers["X-User-Id"], within=TRACKED)
    return made["payload"]["user_id"], headers


async def shown(server: Server, number: str) -> dict[str, Any] | None:
    """An extension's presence, as an admin sees it; None when there is none that may register."""
    answer = await server.client.get(f"/api/v1/presence/{number}", headers=ADMIN)
    if answer.status == 404:
        return None
    presence: dict[str, Any] = (await answer.json())["presence"]
    return presence


async def is_shown(server: Server, number: str, **wanted: Any) -> None:
    seen: list[dict[str, Any] | None] = []

    async def so() -> bool:
        seen[:] = [await shown(server, number)]
        return seen[0] is not None and {name: seen[0][name] for name in wanted} == wanted

    try:
        await eventually(so, TOLD)
    except AssertionError:
        raise AssertionError(f"{number} is {seen[0]}, not {wanted}") from None


async def secret_of(server: Server, headers: dict[str, str]) -> str:
    info = await (await server.registration(headers["X-User-Id"])).json()
    secret: str = info["extensionDetails"]["password"]
    return secret


@pytest.mark.parametrize("way", ["deleted", "unassigned"])
async def test_without_its_holder_an_extension_has_another_secret_and_keeps_what_is_registered(
    newest: Pbx, start: Start, way: str
) -> None:
    server = await start(newest.settings())
    number = {"deleted": "61001", "unassigned": "61002"}[way]
    user_id, headers = await with_a_phone(server, number, "the old secret")
    async with registered(newest, number, "the old secret") as phone:
        await server.shows("Not in use", headers["X-User-Id"], within=TOLD)
        if way == "deleted":
            await asked(server, "DELETE", f"/user/{user_id}")
            await server.answers(401, headers, headers["X-User-Id"])
        else:
            await extensions.unassign(server.app[DATABASE], number, origin=PREPARED)
        await server.answers(404, uid=headers["X-User-Id"], within=TOLD)
        await refused(newest, number, "the old secret")
        # The registration is Asterisk's until it expires: nobody's line, and it rings. So it is told.
        await is_shown(server, number, userId=None, username=None, registered=True, reachable=True, state="Not in use")
        assert phone.is_running()
    rows = await newest.database.rows("select user_id, secret from extensions where extension = $1", number)
    assert (rows[0]["user_id"], rows[0]["secret"] == "the old secret") == (None, False)
    async with registered(newest, number, rows[0]["secret"]):
        await is_shown(server, number, registered=True, reachable=True, state="Not in use")
    await is_shown(server, number, registered=False, state="Unavailable")


async def test_a_deactivated_persons_phone_is_refused_and_later_needs_the_new_secret(newest: Pbx, start: Start) -> None:
    server = await start(newest.settings())
    number, secret = "61003", "the secret before"
    user_id, headers = await with_a_phone(server, number, secret)
    async with registered(newest, number, secret):
        await server.shows("Not in use", headers["X-User-Id"], within=TOLD)
        await asked(server, "PATCH", f"/user/{user_id}", {"active": False})
        await server.answers(401, headers, headers["X-User-Id"])
        await server.answers(404, uid=headers["X-User-Id"], within=TOLD)
        await refused(newest, number, secret)
        assert await shown(server, number) is None
        tried = await server.client.post("/auth", json={"email_or_name": f"holder of {number}", "password": PASSWORD})
        assert tried.status == 401
    await asked(server, "PATCH", f"/user/{user_id}", {"active": True})
    await server.answers(401, headers, headers["X-User-Id"])
    again = await server.login(f"holder of {number}", PASSWORD)
    new = await secret_of(server, again)
    assert new != secret
    await refused(newest, number, secret)
    async with registered(newest, number, new):
        await server.shows("Not in use", again["X-User-Id"], within=TRACKED)


async def test_a_new_password_gives_the_phone_another_secret(newest: Pbx, start: Start) -> None:
    server = await start(newest.settings())
    number, secret = "61004", "another secret"
    user_id, headers = await with_a_phone(server, number, secret)
    await asked(server, "PATCH", f"/user/{user_id}", {"passwd": "new password"})
    await server.answers(401, headers, headers["X-User-Id"])
    new = await secret_of(server, headers)
    assert new != secret
    await refused(newest, number, secret)
    async with registered(newest, number, new):
        await server.shows("Not in use", headers["X-User-Id"], within=TOLD)
