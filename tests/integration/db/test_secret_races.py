"""What ends a SIP password while others write the same rows: no password survives it, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine

import pytest

from service.db import extensions, phone_secrets, users
from service.db.pool import Database
from service.errors import DatabaseUnavailable, NoSuchPhone, RotationUnderWay
from tests.integration.db.test_secret_life import FURTHER, auths
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.origins import PREPARED

DEACTIVATE = "update users set active = false where user_id = 1795"
ENDS = {
    "deactivation": DEACTIVATE,
    "password": "update users set passwd = 'another hash' where user_id = 1795",
    "unassignment": "update extensions set user_id = null where extension = '12342'",
    "deletion": "delete from users where user_id = 1795",
}
ROUNDS = 12


@pytest.fixture
async def service(database: TestDatabase) -> AsyncIterator[Database]:
    async with Database.of(database.settings()) as opened:
        yield opened


async def rotate(service: Database, overlap: float = 60.0) -> phone_secrets.RotatedPhone:
    return await phone_secrets.rotate(service, "12342", origin=PREPARED, overlap=overlap)


async def activate(database: TestDatabase) -> None:
    """Bring the person back, who then sees what is left of the passwords."""
    await database.execute(
        "insert into users (user_id, uid, name, passwd, user_type) "
        "values (1795, 'ByehQjC44FwMeiLbX', 'dnhai', 'hash', 'agent') "
        "on conflict (user_id) do update set active = true"
    )
    await database.execute("update extensions set user_id = 1795 where extension = '12342' and user_id is null")


async def waits_for_a_lock(database: TestDatabase) -> bool:
    return bool(await database.rows("select from pg_locks where not granted"))


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
@pytest.mark.parametrize("first", ["end", "rotation"])
async def test_what_ends_a_password_wins_over_a_rotation_whichever_comes_first(
    database: TestDatabase, service: Database, ends: str, first: str
) -> None:
    known = set((await auths(database))["12342"])
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    other: Awaitable[object]
    if first == "end":
        await one.execute(ends)
        other = asyncio.create_task(rotate(service))
    else:
        await one.execute(
            "select from extensions where extension = '12342' for no key update; "
            "update phones set secret = 'given out', former_until = now() + '1 day' where endpoint = '12342'"
        )
        known.add("given out")
        other = asyncio.create_task(database.execute(ends))
    await eventually(lambda: waits_for_a_lock(database), what="the other one waits")
    await transaction.commit()
    await other
    await one.close()
    await activate(database)
    left = (await auths(database))["12342"]
    assert not known & set(left)
    if first == "rotation":
        assert len(left) == 1, "nothing overlaps"


@pytest.mark.parametrize("ends", ENDS.values(), ids=ENDS)
async def test_in_any_order_of_events_no_known_password_is_left(
    database: TestDatabase, service: Database, ends: str
) -> None:
    for _ in range(ROUNDS):
        await activate(database)
        known = set((await auths(database))["12342"])
        attempts = (rotate(service, 0), rotate(service), database.execute(ends), rotate(service))
        done = await asyncio.gather(*attempts, return_exceptions=True)
        assert not [each for each in done if isinstance(each, Exception) and not isinstance(each, RotationUnderWay)]
        await activate(database)
        assert not known & set((await auths(database))["12342"])


async def test_of_ten_rotations_at_once_one_is_made_and_nine_are_refused(
    database: TestDatabase, service: Database
) -> None:
    (before,) = (await auths(database))["12342"]
    done = await asyncio.gather(*(rotate(service) for _ in range(10)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in done) == ["RotatedPhone"] + ["RotationUnderWay"] * 9
    new, former = (await auths(database))["12342"]
    assert former == before != new
    assert len(await database.rows("select from audit where action = 'phone.rotated'")) == 1


async def test_ten_rotations_without_overlap_leave_one_password(database: TestDatabase, service: Database) -> None:
    (before,) = (await auths(database))["12342"]
    await asyncio.gather(*(rotate(service, 0) for _ in range(10)))
    (left,) = (await auths(database))["12342"]
    assert left != before


async def test_somebody_who_loses_the_extension_meanwhile_rotates_nobodys_phone(
    database: TestDatabase, service: Database
) -> None:
    phone_id = (await database.rows("select phone_id from phones where endpoint = '12342'"))[0]["phone_id"]
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    await one.execute("update extensions set user_id = 1797 where extension = '12342'")
    late = asyncio.create_task(phone_secrets.rotate_phone(service, phone_id, origin=PREPARED, overlap=60, holder=1795))
    await eventually(lambda: waits_for_a_lock(database), what="the rotation waits")
    await transaction.commit()
    await one.close()
    with pytest.raises(NoSuchPhone):
        await late
    assert len((await auths(database))["12342"]) == 1


async def test_a_password_typed_into_psql_ends_the_one_before_and_its_former_one(
    database: TestDatabase, service: Database
) -> None:
    await rotate(service)
    await database.execute("update phones set secret = 'typed-by-hand' where endpoint = '12342'")
    assert (await auths(database))["12342"] == ["typed-by-hand"]


async def test_giving_the_present_password_again_ends_the_former_one(database: TestDatabase, service: Database) -> None:
    """An admin who sets a password wants no other one to be valid."""
    await rotate(service)
    present, _ = (await auths(database))["12342"]
    await database.execute("update phones set secret = $1, former_until = null where endpoint = '12342'", present)
    assert (await auths(database))["12342"] == [present]
    columns = "former_secret, former_sealed, former_sealed_with, former_until"
    (row,) = await database.rows(f"select {columns} from phones where endpoint = '12342'")  # noqa: S608
    assert set(row) == {None}


async def test_an_expired_password_is_not_kept(database: TestDatabase, service: Database) -> None:
    await rotate(service)
    await database.execute("update phones set former_until = now() - interval '1 s' where endpoint = '12342'")
    assert await database.rows("select from phones where former_secret is not null or former_until is not null") == []


async def test_a_deactivation_ends_the_former_password_of_a_phone_whose_present_one_has_ended(
    database: TestDatabase, service: Database
) -> None:
    await database.execute(
        "update phones set secret = null, former_until = now() + interval '1 day' where endpoint = '12342'"
    )
    assert len((await auths(database))["12342"]) == 1
    await database.execute("update call_servers set secrets_key = '00000000'")  # so this session makes no new one
    await database.execute(DEACTIVATE)
    await activate(database)
    assert "12342" not in await auths(database)


async def test_filling_a_phone_keeps_the_overlap_of_its_former_password(
    database: TestDatabase, service: Database
) -> None:
    (before,) = (await auths(database))["12342"]
    await database.execute(
        "update phones set secret = null, former_until = now() + interval '1 day' where endpoint = '12342'"
    )
    assert await phone_secrets.fill_missing(service) == 1
    new, former = (await auths(database))["12342"]
    assert former == before != new


async def test_a_service_without_the_key_fills_nothing_and_says_so(database: TestDatabase, service: Database) -> None:
    await database.execute("update call_servers set secrets_key = '00000000'")
    await database.execute("update phones set secret = null where endpoint = '12342'")
    assert await phone_secrets.fill_missing(service) == 0
    assert await database.rows("select from audit where actor_kind = 'service'") == []


async def test_several_services_fill_each_phone_once(database: TestDatabase, service: Database) -> None:
    await database.execute(FURTHER)
    await database.execute("update phones set secret = null")
    async with Database.of(database.settings()) as other:
        made = await asyncio.gather(*(phone_secrets.fill_missing(each) for each in (service, other) * 5))
    assert sum(made) == 3
    assert {len(found) for found in (await auths(database)).values()} == {1}


Change = Callable[[Database], Coroutine[object, object, object]]


async def _password(service: Database) -> None:
    await users.set_password(service, 1795, "a hash", origin=PREPARED)


async def _unassign(service: Database) -> None:
    await extensions.unassign(service, "12342", origin=PREPARED)


@pytest.mark.parametrize("change", [_password, _unassign, rotate], ids=["password", "unassignment", "rotation"])
async def test_a_deadlock_with_psql_ends_within_a_moment_and_a_repetition_succeeds(
    database: TestDatabase, service: Database, change: Change
) -> None:
    """psql locks the phone before its extension, and everyone else after it. PostgreSQL ends one of the two."""
    known = set((await auths(database))["12342"])
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    await one.execute("select from phones where endpoint = '12342' for update")
    theirs = asyncio.create_task(change(service))
    await eventually(lambda: waits_for_a_lock(database), what="the service waits for the phone")
    ended = await asyncio.gather(
        one.execute("update phones set secret = 'typed-by-hand' where endpoint = '12342'"),
        theirs,
        return_exceptions=True,
    )
    by_hand, of_service = ended
    assert sum(isinstance(each, Exception) for each in ended) == 1, "PostgreSQL ends one of the two"
    await (transaction.rollback() if isinstance(by_hand, Exception) else transaction.commit())
    await one.close()
    if isinstance(of_service, Exception):
        assert isinstance(of_service, DatabaseUnavailable), "the client is told to try again"
        await change(service)
    present = (await auths(database))["12342"][0]
    assert present not in known | {"typed-by-hand"}
