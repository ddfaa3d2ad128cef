"""What PostgreSQL itself sees to, also when an operator types SQL: secrets rotate, tokens end, changes are told."""

from __future__ import annotations

import asyncpg
import pytest

from service.cli.demo import ADMIN_TOKEN, SIP_PASSWORD
from service.credentials import token_hash
from tests.support.database import ASTERISK, TestDatabase
from tests.support.eventually import eventually

HELD = "select secret from extensions where extension = '12342'"


async def usable_secret(database: TestDatabase) -> str | None:
    """The secret with which Asterisk lets 12342 register now."""
    connection = await database.connect(ASTERISK)
    try:
        secret: str | None = await connection.fetchval("select password from ps_auths where id = '12342'")
        return secret
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "update extensions set user_id = null where extension = '12342'",
        "update extensions set user_id = 1797 where extension = '12342'",
        "delete from users where user_id = 1795",
        "update users set active = false where user_id = 1795",
        "update extensions set enabled = false where extension = '12342'",
        "delete from extensions where extension = '12342'",
        "update extensions set extension = '99999' where extension = '12342'",
    ],
)
async def test_the_secret_that_somebody_knew_stops_working(database: TestDatabase, statement: str) -> None:
    assert await usable_secret(database) == SIP_PASSWORD
    await database.execute(statement)
    assert await usable_secret(database) != SIP_PASSWORD


async def test_deactivating_first_and_unassigning_then_rotates_too(database: TestDatabase) -> None:
    await database.execute("update users set active = false where user_id = 1795")
    await database.execute("update extensions set user_id = null where extension = '12342'")
    assert await usable_secret(database) not in (None, SIP_PASSWORD)


async def test_a_secret_given_with_the_change_is_kept(database: TestDatabase) -> None:
    await database.execute("update extensions set user_id = null, secret = 'mine' where extension = '12342'")
    assert await usable_secret(database) == "mine"


async def test_other_changes_do_not_rotate(database: TestDatabase) -> None:
    await database.execute("update extensions set profile = 'sip', user_id = 1795 where extension = '12342'")
    assert await usable_secret(database) == SIP_PASSWORD


async def test_deactivating_ends_all_tokens_of_that_person_only(database: TestDatabase) -> None:
    await database.execute(
        "insert into tokens (token_hash, user_id, expires_at) "
        "select sha256(n::text::bytea), 1795, now() + interval '1 day' from generate_series(1, 3) as n"
    )
    await database.execute("update users set active = false where user_id = 1795")
    assert [row["user_id"] for row in await database.rows("select user_id from tokens")] == [1]


@pytest.mark.parametrize("secret", ["my$up3erP@ssw0rd", "a;b", "^5E^", " spaced ", "a\\b'\"", "ü"])
async def test_a_secret_comes_through_asterisks_decoding(database: TestDatabase, secret: str) -> None:
    await database.execute("update extensions set secret = $1 where extension = '12342'", secret)
    shown = await usable_secret(database)
    assert shown is not None
    assert not set("; ") & set(shown)
    assert shown.replace("^20", " ").replace("^3B", ";").replace("^5E", "^") == secret


MANY = "insert into extensions select 'x' || n, 's', 'main' from generate_series(1, {}) n"


@pytest.mark.parametrize(
    ("statement", "told"),
    [
        (MANY.format(2), ["extension x1", "extension x2"]),
        (MANY.format(100), sorted(f"extension x{number}" for number in range(1, 101))),
        (MANY.format(101), ["extension *"]),
        ("update extensions set secret = 'x' where extension = '12342'", ["extension 12342"]),
        ("update extensions set secret = secret", []),
        ("update extensions set extension = '1' where extension = '12342'", ["extension 1", "extension 12342"]),
        ("delete from extensions where extension = '12343'", ["extension 12343"]),
        ("delete from extensions where false", []),
        ("truncate extensions cascade", ["extension *"]),
        ("delete from users where user_id = 1795", ["extension 12342", "user 1795"]),
        ("update users set active = false where user_id = 1795", ["extension 12342", "user 1795"]),
        ("update users set active = true where user_id = 1795", []),
        ("truncate users cascade", ["extension *", "token *", "user *"]),
        ("delete from tokens", [f"token \\x{token_hash(ADMIN_TOKEN).hex()}"]),
        ("update users set first_name = 'x' where user_id in (1, 1796)", ["user 1", "user 1796"]),
        ("insert into activity (user_id, last_seen) values (1795, now())", []),
    ],
)
async def test_a_change_is_told_once_for_each_row(database: TestDatabase, statement: str, told: list[str]) -> None:
    heard: list[object] = []
    listener = await database.connect()
    await listener.add_listener("connector_changes", lambda _c, _p, _ch, payload: heard.append(payload))
    await database.execute(statement)
    await database.execute("select pg_notify('connector_changes', 'the end')")
    await eventually(lambda: "the end" in heard)
    await listener.close()
    assert sorted(str(payload) for payload in heard[:-1]) == told


@pytest.mark.parametrize(
    ("statement", "error"),
    [
        ("insert into extensions values ('12342', 's', 'main')", asyncpg.UniqueViolationError),
        ("insert into extensions values ('a b', 's', 'main')", asyncpg.CheckViolationError),
        ("insert into extensions values ('1\n', 's', 'main')", asyncpg.CheckViolationError),
        ("insert into extensions values (repeat('x', 41), 's', 'main')", asyncpg.CheckViolationError),
        ("insert into extensions values ('1', 's', 'nowhere')", asyncpg.ForeignKeyViolationError),
        ("insert into extensions values ('1', '', 'main')", asyncpg.CheckViolationError),
        ("update extensions set user_id = 1795", asyncpg.UniqueViolationError),
        ("update users set name = 'DNHAI' where user_id = 1", asyncpg.UniqueViolationError),
        ("update users set email = 'DNhai@Example.com' where user_id = 1", asyncpg.UniqueViolationError),
        ("update users set name = 'a@b' where user_id = 1", asyncpg.CheckViolationError),
        ("update users set user_type = 'root' where user_id = 1", asyncpg.CheckViolationError),
    ],
)
async def test_what_must_not_be_stored_is_refused(
    database: TestDatabase, statement: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await database.execute(statement)
