"""A rotation while PostgreSQL is locked, read-only, or away: done or not done, never half, and 503 in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.integration.db.test_secret_life import auths
from tests.integration.phones.test_rotate import phone_ids, rotate
from tests.support.database import TestDatabase
from tests.support.eventually import eventually
from tests.support.server import Start

UNAVAILABLE: tuple[int, dict[str, Any]] = (503, {"success": False, "error": "Service unavailable"})


@pytest.mark.parametrize(
    "lock",
    [
        "select from extensions where extension = '12342' for update",
        "select from phones where endpoint = '12342' for update",
        "lock table audit in exclusive mode",
        "lock table phones in access exclusive mode",
    ],
)
async def test_a_rotation_that_waits_too_long_is_not_made_later(
    database: TestDatabase, start: Start, lock: str
) -> None:
    server = await start(database.settings(database_deadline=0.5))
    phone = (await phone_ids(database))["12342"]
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    await one.execute(lock)
    assert await rotate(server, phone) == UNAVAILABLE
    assert await rotate(server, phone, given={"overlap": 0}) == UNAVAILABLE
    await transaction.commit()
    await one.close()
    assert (await auths(database))["12342"] == [SIP_PASSWORD]
    assert await database.rows("select from audit where action = 'phone.rotated'") == []
    assert (await rotate(server, phone))[0] == 200


async def test_a_rotation_whose_connection_ends_is_not_made(database: TestDatabase, start: Start) -> None:
    """As in a failover. Nothing of it is left, so the client repeats it."""
    server = await start(database.settings())
    phone = (await phone_ids(database))["12342"]
    one = await database.connect()
    transaction = one.transaction()
    await transaction.start()
    await one.execute("select from phones where endpoint = '12342' for update")
    asked = asyncio.create_task(rotate(server, phone))
    superuser = await database.connect(database.server.superuser)

    async def cut() -> bool:
        ended = await superuser.fetch(
            "select pg_terminate_backend(pid) from pg_stat_activity "
            "where datname = current_database() and usename = 'connector_service' and wait_event_type = 'Lock'"
        )
        return bool(ended)

    await eventually(cut)
    assert await asked == UNAVAILABLE
    await transaction.commit()
    await one.close()
    await superuser.close()
    assert (await auths(database))["12342"] == [SIP_PASSWORD]
    assert (await rotate(server, phone))[0] == 200


async def test_while_postgresql_takes_no_changes_a_rotation_is_refused_and_the_password_stays(
    database: TestDatabase, start: Start
) -> None:
    phone = (await phone_ids(database))["12342"]
    superuser = await database.connect(database.server.superuser)
    role = f"alter role connector_service in database {database.name}"
    await superuser.execute(f"{role} set default_transaction_read_only = on")
    server = await start(database.settings())
    assert await rotate(server, phone) == UNAVAILABLE
    assert (await auths(database))["12342"] == [SIP_PASSWORD]
    await superuser.execute(f"{role} reset default_transaction_read_only")
    await superuser.close()

    async def done() -> bool:
        return (await rotate(server, phone))[0] == 200

    await eventually(done)
