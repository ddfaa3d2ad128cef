"""Whatever PostgreSQL says while the service runs: polls are answered, no task ends, and it heals by itself."""

from __future__ import annotations

import asyncio
import contextlib

import asyncpg
import pytest

from local.postgres import Postgres
from service.db.directory_loader import SQL, DirectoryLoader
from service.settings import Settings
from service.web.app_keys import ACTIVITY, CHANGE_LISTENER, DATABASE, DIRECTORY
from tests.integration.db.test_directory_trouble import polling
from tests.support.database import ASTERISK, TestDatabase
from tests.support.eventually import eventually
from tests.support.server import ADMIN, Server, Start


def settings(database: TestDatabase, **values: object) -> Settings:
    """Settings with which one token may poll as fast as it can."""
    return database.settings(**{"requests_per_minute": 1_000_000, **values})


async def changed(database: TestDatabase, text: str) -> None:
    await database.execute("update extensions set secret = $1 where extension = '12342'", text)


async def shows_secret(server: Server, text: str, within: float = 30) -> None:
    async def there() -> bool:
        answer = await server.registration()
        assert answer.status == 200
        return bool((await answer.json())["extensionDetails"]["password"] == text)

    await eventually(there, within, f"the secret is {text}")


async def is_followed(server: Server, database: TestDatabase, text: str, within: float = 30) -> None:
    """Changes get here again, and everything is as it should be."""
    await changed(database, text)
    await shows_secret(server, text, within)
    await eventually(lambda: server.app[DIRECTORY].stale_since is None, within)
    await eventually(lambda: answers_users(server), within)


async def answers_users(server: Server) -> bool:
    return await user(server) == 200


async def is_written(server: Server) -> bool:
    """Whether the activity is, after one more try."""
    await server.app[ACTIVITY].flush()
    return server.app[ACTIVITY].pending(1795) is None


async def user(server: Server) -> int:
    return (await server.client.get("/user/1795", headers=ADMIN)).status


CUT = "select pg_terminate_backend(pid) from pg_stat_activity where datname = 'DATABASE' and pid <> pg_backend_pid()"
POLICY = "alter table users enable row level security; create policy harm on users using "
NO_POLICY = "drop policy harm on users; alter table users disable row level security"
TROUBLES = {
    "no permission": (
        "revoke select on users from connector_service",
        "grant select on users to connector_service",
    ),
    "no permission for tokens": (
        "revoke all on tokens from connector_service",
        "grant select, insert, update, delete on tokens to connector_service",
    ),
    "no such table": ("alter table users rename to people", "alter table people rename to users"),
    "no such column": ("alter table users rename email to mail", "alter table users rename mail to email"),
    "no connection": (
        f"alter database DATABASE connection limit 0; {CUT}",
        "alter database DATABASE connection limit -1",
    ),
    "not let in": (
        f"revoke connect on database DATABASE from connector_service; {CUT}",
        "grant connect on database DATABASE to connector_service",
    ),
    "a tiny statement_timeout": (
        "create function slow() returns bool language sql as 'select pg_sleep(0.1) is null'; "
        f"{POLICY} ((select slow())); "
        f"alter role connector_service in database DATABASE set statement_timeout = 1; {CUT}",
        f"alter role connector_service in database DATABASE reset statement_timeout; {NO_POLICY}; {CUT}",
    ),
    "a function that fails": (
        "create function broken() returns bool language plpgsql as $$begin raise exception 'broken'; end$$; "
        f"{POLICY} (broken())",
        NO_POLICY,
    ),
}


@pytest.mark.parametrize("trouble", TROUBLES)
async def test_whatever_postgresql_refuses_polls_are_answered_and_its_end_heals(
    database: TestDatabase, start: Start, trouble: str
) -> None:
    server = await start(settings(database, database_deadline=1.0))
    harm, mend = (sql.replace("DATABASE", database.name) for sql in TROUBLES[trouble])
    superuser = await database.connect(Postgres.superuser)
    async with polling(server):
        await superuser.execute(harm)
        await changed_anything(superuser)
        with contextlib.suppress(AssertionError):
            await eventually(lambda: server.app[CHANGE_LISTENER].last_error, 3)
        assert (await server.client.get("/livez")).status == 200
        answer = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "demo-agent-password"})
        assert answer.status in (200, 503), await answer.text()
        assert answer.status == 200 or int(answer.headers["Retry-After"]) > 0
        assert await user(server) in (200, 503)
        server.app[ACTIVITY].record_use(1795)
        await server.app[ACTIVITY].flush()
        await superuser.execute(mend)
        await is_followed(server, database, f"after-{len(trouble)}")
        await eventually(lambda: is_written(server))
    await superuser.close()


async def changed_anything(connection: asyncpg.Connection) -> None:
    """Everything is read again."""
    await connection.execute("select pg_notify('connector_changes', 'user *')")


async def test_a_lock_that_somebody_holds_delays_and_ends_nothing(database: TestDatabase, start: Start) -> None:
    server = await start(settings(database, database_deadline=0.5))
    connection = await database.connect()
    async with polling(server):
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("lock table users, extensions in access exclusive mode")
        assert await user(server) == 503
        async with asyncio.timeout(30):
            await database.execute("select pg_notify('connector_changes', 'user *')")
        await eventually(lambda: "out of reach" in server.app[CHANGE_LISTENER].last_error)
        await transaction.rollback()
        await is_followed(server, database, "unlocked")
    await connection.close()


STRANGE = (
    "user x",
    "",
    "user -1",
    f"user {9**30}",
    "token zz",
    "token \\x00",
    "extension a\nb",
    "heartbeat x",
    "role 5",
)


async def test_a_notification_that_nobody_understands_reads_everything_now_and_then(
    database: TestDatabase, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """100,000 different ones, some of them in the shape of ours, by a role that may do nothing but connect."""
    server = await start(settings(database))
    readings: list[str] = []
    whole = DirectoryLoader.read_all

    async def counted(self: DirectoryLoader) -> None:
        readings.append("all")
        await whole(self)

    monkeypatch.setattr(DirectoryLoader, "read_all", counted)
    stranger = await database.connect(ASTERISK)
    async with polling(server) as polls:
        for hint in (
            "user x",
            "",
            "user -1",
            "user 99999999999999999999",
            "token zz",
            "token \\x00",
            "extension a\nb",
            "heartbeat x",
        ):
            await stranger.execute("select pg_notify('connector_changes', $1)", hint)
        await stranger.execute(
            "select pg_notify('connector_changes', (array['user x', 'token ', 'user ', 'role '])[1 + n % 4] || n) "
            "from generate_series(1, 100000) as n"
        )
        asked = polls.count
        await eventually(lambda: polls.count > asked + 20)
        await is_followed(server, database, "after the storm")
        headers = await server.headers_of()
        await server.answers(200, headers)
        await database.execute("delete from tokens where user_id = 1795")
        await server.answers(401, headers)
    assert 1 <= len(readings) <= 10
    await stranger.close()


async def test_a_column_whose_type_changes_while_serving_is_read_again_on_a_fresh_statement(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    server = await start(settings(database))
    async with polling(server):
        for number in range(3):
            patch = await server.client.patch("/user/1795", headers=ADMIN, json={"first_name": f"Before {number}"})
            assert patch.status == 200
            await database.execute(f"alter table users alter column email type varchar({320 + number})")
            patch = await server.client.patch("/user/1795", headers=ADMIN, json={"first_name": f"After {number}"})
            assert patch.status == 200, await patch.text()
            assert await user(server) == 200
            await database.execute("select pg_notify('connector_changes', 'extension *')")
            await changed(database, f"typed-{number}")
            await shows_secret(server, f"typed-{number}")
            headers = await server.login("dnhai", "demo-agent-password")
            await server.answers(200, headers)
    assert not [line for line in logged if line["event"] == "change_listener_down"]


async def test_what_every_connection_prepared_before_a_change_is_forgotten_by_all_at_once(
    database: TestDatabase, start: Start, logged: list[dict[str, object]]
) -> None:
    server = await start(settings(database))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(4):
            connection = await stack.enter_async_context(server.app[DATABASE].connection())
            async with connection.transaction():
                assert await (await connection.cursor(SQL["all_people"])).fetch(1)
    await database.execute("alter table users alter column email type varchar(320)")
    await database.execute("select pg_notify('connector_changes', 'user *')")
    await is_followed(server, database, "after the change")
    assert not [line for line in logged if line["event"] == "change_listener_down"]


async def test_no_setting_of_a_session_changes_what_a_hint_says(database: TestDatabase, server: Server) -> None:
    headers = await server.headers_of()
    await server.answers(200, headers)
    connection = await database.connect()
    for setting in (
        "bytea_output = 'escape'",
        "DateStyle = 'SQL, DMY'",
        "search_path = ''",
        "extra_float_digits = -15",
    ):
        await connection.execute(f"set {setting}")
    await connection.execute("delete from public.tokens where user_id = 1795")
    await server.answers(401, headers)
    headers = await server.headers_of()
    await server.answers(200, headers)
    await connection.execute("update public.users set active = false where user_id = 1795")
    await server.answers(401, headers)
    assert not server.app[CHANGE_LISTENER]._hints.unknown_hints
    await connection.close()


async def test_a_read_only_database_goes_on_answering_what_needs_no_change(
    database: TestDatabase, start: Start, logged: list[dict[str, object]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.db.connection.WRITABLE_CHECK_INTERVAL", 0.2)
    monkeypatch.setattr("service.db.connection.READ_ONLY_CHECK_INTERVAL", 0.2)
    server = await start(settings(database))
    credentials = {"user": "dnhai", "password": "demo-agent-password"}
    superuser = await database.connect(Postgres.superuser)
    async with polling(server):
        for _ in range(2):
            await superuser.execute(f"alter database {database.name} set default_transaction_read_only = on")
            await superuser.execute(CUT.replace("DATABASE", database.name))
            await eventually(lambda: server.app[DATABASE].login.write_access.read_only_since)
            assert await user(server) == 200
            for refused in (
                await server.client.post("/api/v1/login", json=credentials),
                await server.client.post("/user/create", headers=ADMIN, json=NEW),
                await server.client.patch("/user/1795", headers=ADMIN, json={"first_name": "x"}),
            ):
                assert refused.status == 503, await refused.text()
                assert int(refused.headers["Retry-After"]) > 0
            server.app[ACTIVITY].record_use(1795)
            await server.app[ACTIVITY].flush()
            ready = await server.client.get("/readyz")
            body = await ready.json()
            assert (ready.status, body["status"], body["database"]["writable"]) == (200, "degraded", False)
            assert "connector_database_read_only 1.0" in await (await server.client.get("/metrics")).text()
            await eventually(
                lambda: server.app[DIRECTORY].stale_since is None, what="changes are followed all the same"
            )
            await superuser.execute(f"alter database {database.name} reset default_transaction_read_only")
            await eventually(lambda: server.app[DATABASE].login.write_access.read_only_since is None)
            assert (await server.client.post("/api/v1/login", json=credentials)).status == 200
            await eventually(lambda: is_written(server))
    turns = ["database_read_only", "database_writable"]
    assert [line["event"] for line in logged if line["event"] in turns] == turns * 2
    await superuser.close()


NEW = {"name": "new", "email": "new@example.com", "passwd": "a long password", "user_type": "agent"}


async def test_a_mistake_of_ours_with_the_driver_is_a_bug_and_no_outage(
    server: Server, monkeypatch: pytest.MonkeyPatch, logged: list[dict[str, object]]
) -> None:
    """A statement with an argument too few, and one with a wrong type."""
    for statement in ("select $1::text, $2::text, $3::text, $4::text, $5::text", "selct"):
        monkeypatch.setitem(__import__("service.db.users", fromlist=["SQL"]).SQL, "find_login", statement)
        answer = await server.client.post("/api/v1/login", json={"user": "dnhai", "password": "x"})
        assert answer.status == 500
    assert [line["event"] for line in logged if line["log_level"] == "error"] == ["internal_error"] * 2
