"""Set-up links and device URLs in PostgreSQL: what a fetch changes, and what ends them, whoever does it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from service.db import phone_secrets, phone_setups
from service.db.pool import Database
from service.domain.setup_tokens import LINK_FETCHES, hash_setup_token
from service.errors import NoSetup, NoSuchLink
from tests.integration.db.test_secret_life import REWRITE, sealed, with_key
from tests.support.database import TestDatabase
from tests.support.origins import PREPARED

ADDED = """
insert into phones (call_server, endpoint, extension, auth_username, secret, profile, kind)
values ('main', '12342.k3f9', '12342', '12342.k3f9', 'a secret that nobody knows', 'sip', 'linphone')
"""


@pytest.fixture
async def pool(database: TestDatabase) -> AsyncIterator[Database]:
    await database.execute(ADDED)
    async with Database.of(database.settings()) as opened:
        yield opened


async def phone_id(database: TestDatabase) -> int:
    rows = await database.rows("select phone_id from phones where endpoint = '12342.k3f9'")
    found: int = rows[0]["phone_id"]
    return found


async def secret(database: TestDatabase) -> str | None:
    rows = await database.rows("select secret from phones where endpoint = '12342.k3f9'")
    found: str | None = rows[0]["secret"]
    return found


async def state(database: TestDatabase) -> tuple[bool, bool]:
    """Whether there is a link, and a device URL."""
    rows = await database.rows("select link_hash is not null as link, device_hash is not null as url from phone_setups")
    return rows[0]["link"], rows[0]["url"]


async def fetched(pool: Database, database: TestDatabase) -> tuple[str, phone_setups.Fetched]:
    """A link that was fetched once, and what it answered."""
    link = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    return link.token, await fetch(pool, link.token)


async def fetch(pool: Database, token: str, *, consume: bool = False) -> phone_setups.Fetched:
    hash_ = hash_setup_token(token)
    assert hash_ is not None
    return await phone_setups.fetch(pool, hash_, origin=PREPARED, shown_as="test", consume=consume)


async def test_each_fetch_ends_the_secret_and_the_url_of_the_one_before(pool: Database, database: TestDatabase) -> None:
    link = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    seen = [await fetch(pool, link.token) for _ in range(LINK_FETCHES)]
    assert len({one.secret for one in seen}) == len({one.device_token for one in seen}) == LINK_FETCHES
    assert await secret(database) == seen[-1].secret
    rows = await database.rows("select device_hash from phone_setups")
    assert rows[0]["device_hash"] == hash_setup_token(seen[-1].device_token)
    with pytest.raises(NoSuchLink):
        await fetch(pool, link.token)
    assert await secret(database) == seen[-1].secret


async def test_of_many_fetches_at_once_as_many_succeed_as_are_allowed(pool: Database, database: TestDatabase) -> None:
    link = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    done = await asyncio.gather(*(fetch(pool, link.token) for _ in range(20)), return_exceptions=True)
    good = [one for one in done if isinstance(one, phone_setups.Fetched)]
    assert len(good) == LINK_FETCHES
    assert {type(one) for one in done} == {phone_setups.Fetched, NoSuchLink}
    assert await secret(database) in {one.secret for one in good}


async def test_a_new_link_ends_the_one_before(pool: Database, database: TestDatabase) -> None:
    first = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    second = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    with pytest.raises(NoSuchLink):
        await fetch(pool, first.token)
    await fetch(pool, second.token, consume=True)
    with pytest.raises(NoSuchLink):
        await fetch(pool, second.token)
    assert await state(database) == (False, True)


async def test_an_expired_link_fetches_nothing(pool: Database, database: TestDatabase) -> None:
    link = await phone_setups.start(pool, await phone_id(database), origin=PREPARED)
    await database.execute("update phone_setups set link_expires_at = now()")
    with pytest.raises(NoSuchLink):
        await fetch(pool, link.token)


async def test_the_first_registration_ends_a_link_only_after_a_fetch(pool: Database, database: TestDatabase) -> None:
    number = await phone_id(database)
    link = await phone_setups.start(pool, number, origin=PREPARED)
    hash_ = hash_setup_token(link.token) or b""
    assert not await phone_setups.end_link(pool, number, hash_)
    await fetch(pool, link.token)
    assert await phone_setups.end_link(pool, number, hash_)
    assert not await phone_setups.end_link(pool, number, hash_)
    assert await state(database) == (False, True)
    newer = await phone_setups.start(pool, number, origin=PREPARED)
    assert not await phone_setups.end_link(pool, number, hash_)
    await fetch(pool, newer.token)


async def test_the_own_phone_has_no_link(pool: Database, database: TestDatabase) -> None:
    rows = await database.rows("select phone_id from phones where endpoint = '12342'")
    with pytest.raises(NoSetup):
        await phone_setups.start(pool, rows[0]["phone_id"], origin=PREPARED)


@pytest.mark.parametrize(
    "statement",
    [
        "update users set passwd = 'another hash' where user_id = 1795",
        "update users set active = false where user_id = 1795",
        "update extensions set user_id = null where extension = '12342'",
        "update phones set secret = 'by hand in psql' where endpoint = '12342.k3f9'",
        "update phones set secret = null, sealed = null, sealed_with = null where endpoint = '12342.k3f9'",
    ],
)
@pytest.mark.parametrize("encrypted", [False, True])
async def test_what_ends_the_secret_ends_link_and_url(
    pool: Database, database: TestDatabase, statement: str, encrypted: bool
) -> None:
    token, _ = await fetched(pool, database)
    if encrypted:
        await sealed(database)
    assert await state(database) == (True, True)
    if encrypted:
        await with_key(database, statement)
    else:
        await database.execute(statement)
    assert await state(database) == (False, False)
    with pytest.raises(NoSuchLink):
        await fetch(pool, token)


async def test_nothing_else_ends_them(pool: Database, database: TestDatabase) -> None:
    """Neither an overlap nor another key, nor the same secret, nor another label."""
    await fetched(pool, database)
    number = await phone_id(database)
    await phone_secrets.rotate_phone(pool, number, origin=PREPARED, overlap=60)
    assert await state(database) == (True, True)
    await sealed(database)
    await with_key(database, REWRITE, "update phones set label = 'On the desk'")
    assert await state(database) == (True, True)


async def test_a_new_password_keeps_the_urls_where_that_is_asked_for(pool: Database, database: TestDatabase) -> None:
    await fetched(pool, database)
    before = await secret(database)
    connection = await database.connect()
    async with connection.transaction():
        await connection.execute("select set_config('connector.keep_device_urls', 'on', true)")
        await connection.execute("update users set passwd = 'another hash' where user_id = 1795")
    await connection.close()
    assert await secret(database) != before
    assert await state(database) == (False, True)


async def test_a_phone_that_goes_takes_them_along(pool: Database, database: TestDatabase) -> None:
    token, _ = await fetched(pool, database)
    await database.execute("delete from phones where endpoint = '12342.k3f9'")
    assert await database.rows("select from phone_setups") == []
    with pytest.raises(NoSuchLink):
        await fetch(pool, token)
