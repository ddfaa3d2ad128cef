"""The audit trail's table: who may write it, what a row holds, and changes in PostgreSQL by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest

from service.db import extensions, phone_secrets, users
from service.db.audit import record
from service.db.diagnostics import check
from service.db.migrate import migrate
from service.db.pool import Database
from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin, Subject
from service.domain.models import Verdict
from tests.support.database import OWNER, SERVICE, TestDatabase
from tests.support.origins import PREPARED

ODD = "Zoë\r\n2026-11-26 audit; '\"^,\\ \x00\ud800 \U0001f4de" + "x" * 500
ORIGIN = Origin(Actor(ActorKind.PERSON, "admin", 1), "2001:db8::1", "request-1")


async def newest(database: TestDatabase, action: str) -> asyncpg.Record:
    rows = await database.rows("select * from audit where action = $1 order by audit_id desc limit 1", action)
    return rows[0]


@pytest.mark.parametrize(
    "statement",
    [
        "update audit set actor = 'nobody'", "delete from audit", "truncate audit", "drop table audit",
        "alter table audit disable trigger all", "do $$ begin lock table audit in exclusive mode; end $$",
        "create trigger mine before insert on audit for each row execute function audit_sql('user', 'name')",
        "select forget_audit(now() - interval '1 year', 1)", "insert into audit (audit_id, action) values (1, 'login')",
        "select setval('audit_audit_id_seq', 1)",
        "insert into audit (action, actor_kind) values ('login', 'person') "
        "on conflict (audit_id) do update set action = 'x'",
    ],
)  # fmt: skip
async def test_the_services_role_adds_and_reads_rows_of_the_trail_and_nothing_else(
    database: TestDatabase, statement: str
) -> None:
    service = await database.connect(SERVICE)
    try:
        await service.execute("insert into audit (action, actor_kind) values ('login', 'person')")
        assert await service.fetch("select from audit")
        with pytest.raises((asyncpg.InsufficientPrivilegeError, asyncpg.GeneratedAlwaysError)):
            await service.execute(statement)
    finally:
        await service.close()


async def test_check_finds_a_service_that_could_change_the_trail(database: TestDatabase) -> None:
    async def verdicts() -> list[Verdict]:
        found = [each async for each in check(database.settings(), Database.of(database.settings(), any_schema=True))]
        return [each.verdict for each in found if "nothing in audit" in each.what]

    assert await verdicts() == [Verdict.OK]
    await database.execute(f"grant delete on audit to {SERVICE}")
    assert await verdicts() == [Verdict.TOO_MUCH]


async def test_migrate_takes_back_what_default_privileges_granted_on_the_trail(database: TestDatabase) -> None:
    await database.execute(f"grant update, delete, truncate on audit to {SERVICE}")
    await migrate(database.settings())
    service = await database.connect(SERVICE)
    held = await service.fetchval("select has_table_privilege('audit', 'update, delete, truncate')")
    await service.close()
    assert not held


async def test_a_row_is_stored_whatever_was_typed(database: TestDatabase) -> None:
    origin = Origin(Actor(ActorKind.PERSON, ODD, 1), ODD, ODD)
    change = AuditedChange(Action.USER_UPDATED, Subject("user", ODD), origin, {"fields": [ODD] * 100, "text": ODD})
    async with Database.of(database.settings()) as service, service.connection() as connection:
        await record(connection, change)
        await record(connection, AuditedChange(Action.LOGIN, None, origin, {str(n): ODD for n in range(100)}))
    row = await newest(database, "user.updated")
    assert row["actor"].startswith("Zoë\r\n2026-11-26 audit; '\"^,\\ \ufffd? \U0001f4de")
    assert (len(row["actor"]), len(row["address"]), len(row["request_id"])) == (400, 100, 64)
    assert len(json.loads(row["details"])["fields"]) == 20
    assert json.loads((await newest(database, "login"))["details"]) == {"details": "too large"}


async def test_a_change_and_its_row_are_stored_together_or_not_at_all(database: TestDatabase) -> None:
    before = len(await database.rows("select from audit"))
    await database.execute("alter table audit add constraint broken check (action <> 'extension.created') not valid")
    async with Database.of(database.settings()) as service:
        with pytest.raises(Exception, match="broken"):
            await extensions.create(service, "500", "main", "sip", origin=ORIGIN)
    assert not await database.rows("select from extensions where extension = '500'")
    assert len(await database.rows("select from audit")) == before


async def test_the_name_of_a_user_stays_after_the_user_is_deleted(database: TestDatabase) -> None:
    async with Database.of(database.settings()) as service:
        await users.set_password(service, 1796, "another hash", origin=ORIGIN)
    await database.execute("delete from users where user_id in (1, 1796)")
    row = await newest(database, "user.password")
    assert (row["subject_kind"], row["subject_id"], row["subject"]) == ("user", 1796, "agent2")
    assert (row["actor"], row["actor_id"], row["address"], row["request_id"]) == (
        "admin", 1, "2001:db8::1", "request-1",
    )  # fmt: skip


async def test_a_change_by_hand_leaves_one_row_per_statement_without_values(database: TestDatabase) -> None:
    await database.execute("update users set passwd = 'the new hash' where user_id = 1795")
    row = await newest(database, "user.updated")
    assert (row["actor_kind"], row["actor"], row["subject"], row["subject_id"]) == ("database", OWNER, "dnhai", 1795)
    assert (row["count"], json.loads(row["details"])) == (1, {"statement": "update"})
    await database.execute("update phones set secret = 'by hand ' || endpoint")
    row = await newest(database, "phone.updated")
    assert (row["subject"], row["count"]) == (None, 2)
    details = json.loads(row["details"])
    assert (details["statement"], sorted(details["keys"])) == ("update", ["12342", "12343"])
    written = "".join(str(dict(row)) for row in await database.rows("select * from audit"))
    assert "the new hash" not in written
    assert "by hand" not in written


async def test_what_triggers_change_is_part_of_a_row_by_hand_and_foreign_keys_have_their_own(
    database: TestDatabase,
) -> None:
    before = len(await database.rows("select from audit"))
    await database.execute("delete from users where user_id = 1795")  # unassigns, which rotates
    rows = await database.rows("select action, subject from audit order by audit_id offset $1", before)
    assert [tuple(row) for row in rows] == [("user.deleted", "dnhai"), ("extension.updated", "12342")]


async def test_a_statement_that_changes_nothing_leaves_no_row(database: TestDatabase) -> None:
    before = len(await database.rows("select from audit"))
    await database.execute("update users set passwd = passwd; delete from tokens where label = 'nobody has this'")
    assert len(await database.rows("select from audit")) == before
    await database.execute("truncate tokens cascade")
    assert len(await database.rows("select from audit")) == before + 1


async def test_the_service_and_the_release_before_are_not_taken_for_somebody_by_hand(database: TestDatabase) -> None:
    before = len(await database.rows("select from audit"))
    service = await database.connect(SERVICE)
    await service.execute("update users set passwd = 'x' where user_id = 1795")
    await service.close()
    assert len(await database.rows("select from audit")) == before


async def test_only_the_owner_forgets_and_never_the_last_day(database: TestDatabase) -> None:
    await database.execute("update audit set at = now() - interval '90 days'")
    await database.execute("insert into audit (action, actor_kind) values ('login', 'person')")
    old = len(await database.rows("select from audit where at < now() - interval '1 day'"))
    with pytest.raises(asyncpg.RaiseError):
        await database.rows("select forget_audit(now(), 10)")
    (row,) = await database.rows("select forget_audit($1, 10000)", datetime.now(UTC) - timedelta(days=30))
    assert row["forget_audit"] == old > 0
    assert len(await database.rows("select from audit")) == 1


async def test_a_row_of_the_service_itself_names_its_part(database: TestDatabase) -> None:
    async with Database.of(database.settings()) as service:
        await extensions.create(service, "500", "main", "sip", origin=PREPARED)
        await extensions.assign(service, "500", 1797, origin=PREPARED)
        await extensions.unassign(service, "500", origin=PREPARED)
        await phone_secrets.rotate(service, "500", origin=PREPARED, overlap=0)
        await extensions.set_enabled(service, "500", False, origin=PREPARED)
        await extensions.set_enabled(service, "500", True, origin=PREPARED)
        await extensions.delete(service, "500", origin=PREPARED)
    rows = await database.rows("select action, actor_kind, actor from audit where subject = '500' order by audit_id")
    assert {(row["actor_kind"], row["actor"]) for row in rows} == {("service", "test")}
    assert [row["action"].partition(".")[2] for row in rows] == [
        "created", "assigned", "unassigned", "rotated", "disabled", "enabled", "deleted",
    ]  # fmt: skip
