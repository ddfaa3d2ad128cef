"""Who fetched a phone's configuration: audited in batches, and the last fetch kept per phone."""

from __future__ import annotations

import asyncio
import json

from service.web.app_keys import PHONE_ACTIVITY
from service.web.http.disclosures import DISCLOSURES
from tests.integration.audit.test_disclosures import rows_of
from tests.integration.setup.support import ENDPOINT, add_phone, device_token, fetch, new_link, phone_id, read, settings
from tests.support.database import TestDatabase
from tests.support.server import Start, serving

FROM = "X-Forwarded-For: 192.0.2.7"


async def last_fetch(database: TestDatabase) -> tuple[int, str] | None:
    rows = await database.rows(
        "select phone_id, last_fetched_from, now() - last_fetched_at < '1 min' as recent from phone_activity"
    )
    assert all(row["recent"] for row in rows)
    return (rows[0]["phone_id"], rows[0]["last_fetched_from"]) if rows else None


async def test_fetches_are_audited_with_the_phone_and_the_address(database: TestDatabase, start: Start) -> None:
    phone = await add_phone(database)
    server = await start(settings(database, trusted_proxies=["127.0.0.1"]))
    device = device_token(await fetch(server, await new_link(server, phone), FROM, "X-Request-Id: by-link"))
    for _ in range(20):
        assert (await read(server, device, FROM, "X-Request-Id: by-url")).status == 200
    by_link, by_url = await rows_of(database, "secret.disclosed", 2)
    for row, request_id in ((by_link, "by-link"), (by_url, "by-url")):
        assert (row["actor_kind"], row["actor"], row["address"]) == ("unknown", None, "192.0.2.7")
        assert (row["subject_kind"], row["subject"], row["request_id"]) == ("phone", ENDPOINT, request_id)
    details = {"extension": "12342", "as": "linphone.xml"}
    assert json.loads(by_link["details"]) == {**details, "fetches_left": 2}
    assert details.items() <= json.loads(by_url["details"]).items()
    assert sum(batch.count for batch in server.app[DISCLOSURES].batches._batches.values()) == 20
    assert device not in str([*map(dict, await database.rows("select * from audit"))])


async def test_a_head_request_and_the_balance_disclose_nothing(database: TestDatabase, start: Start) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    device = device_token(await fetch(server, await new_link(server, phone)))
    await server.app[PHONE_ACTIVITY].flush()
    await database.execute("delete from phone_activity")
    assert (await server.raw(f"/p/d/{device}/linphone.xml", method="HEAD")).status == 200
    assert (await server.raw(f"/p/d/{device}/balance.xml")).status == 200
    await server.app[PHONE_ACTIVITY].flush()
    assert len(server.app[DISCLOSURES].batches) == 0
    assert await last_fetch(database) is None


async def test_the_last_fetch_is_written_in_batches_and_at_the_end(database: TestDatabase) -> None:
    phone = await add_phone(database)
    async with serving(settings(database, trusted_proxies=["127.0.0.1"])) as server:
        device = device_token(await fetch(server, await new_link(server, phone), "X-Forwarded-For: 192.0.2.1"))
        await server.app[PHONE_ACTIVITY].flush()
        assert await last_fetch(database) == (phone, "192.0.2.1")
        for number in range(2, 7):
            assert (await read(server, device, f"X-Forwarded-For: 192.0.2.{number}")).status == 200
        pending = server.app[PHONE_ACTIVITY].pending(phone)
        assert pending is not None
        assert pending.address == "192.0.2.6"
        assert await last_fetch(database) == (phone, "192.0.2.1")
    assert await last_fetch(database) == (phone, "192.0.2.6")


async def test_fetches_of_a_deleted_phone_are_left_out_and_those_of_others_stay(
    database: TestDatabase, start: Start
) -> None:
    gone, server = await add_phone(database), await start(settings(database))
    kept = await add_phone(database, "12342.m4w2")
    activity = server.app[PHONE_ACTIVITY]
    activity.record(gone, "192.0.2.1")
    activity.record(kept, "x" * 1000)
    await database.execute("delete from phones where phone_id = $1", gone)
    await activity.flush()
    assert await last_fetch(database) == (kept, "x" * 100)
    assert activity.pending(kept) is None


async def test_what_postgresql_did_not_take_waits_and_the_newest_fetch_wins(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    phone, server = await add_phone(database), await start(settings(database))
    activity = server.app[PHONE_ACTIVITY]
    await database.execute("revoke insert on phone_activity from connector_service")
    activity.record(phone, "192.0.2.1")
    await activity.flush()
    activity.record(phone, "192.0.2.2")
    await activity.flush()
    assert [line["log_level"] for line in logged if line["event"] == "phone_activity_write_failed"] == [
        "warning",
        "debug",
    ]
    await database.execute("grant insert on phone_activity to connector_service")
    await asyncio.gather(activity.flush(), activity.flush())
    assert await last_fetch(database) == (await phone_id(database), "192.0.2.2")
    assert [line for line in logged if line["event"] == "phone_activity_write_resumed"]
