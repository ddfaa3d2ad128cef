"""The model of PostgreSQL that the simulation uses does what a real PostgreSQL does.

Each test runs twice, against both, with the same calls and the same assertions. The last one holds that no statement of
the model is left out.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from time import time
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import pytest

from service.clock import uptime
from service.credentials import token_hash
from service.db import (
    audit_rows,
    extension_admin,
    extensions,
    phones,
    registration_history,
    sql,
    tokens,
    user_admin,
    users,
)
from service.db.activity import Activity
from service.db.change_listener import ChangeListener
from service.db.connection import DatabaseLogin
from service.db.directory_loader import DirectoryLoader
from service.db.pool import Database
from service.db.registration_history import Lease
from service.db.user_loader import UserLoader
from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin
from service.domain.audit_batches import BatchRow
from service.domain.credential_owners import CredentialOwners
from service.domain.directory import Directory
from service.domain.models import Role
from service.domain.phone_kinds import PHONE_KINDS
from service.errors import (
    AlreadyExists,
    DatabaseReadOnly,
    DatabaseUnavailable,
    ExtensionExists,
    ExtensionTaken,
    NoSuchExtension,
    NoSuchUser,
    NotFound,
    PhoneRefused,
    UserTaken,
)
from tests.simulation.database.driver import Driver, installed
from tests.simulation.database.rows import Rows
from tests.simulation.database.server import Server
from tests.simulation.database.statements import ANSWERED
from tests.simulation.database.wire import Network
from tests.support.database import TestDatabase
from tests.support.eventually import eventually

ORIGIN = Origin(Actor(ActorKind.COMMAND_LINE, "tester"))
DAY = timedelta(days=1)
PEOPLE = sql.load("directory")["all_people"]
answered: Counter[str] = Counter()
"""Statements that the model has answered in this module."""


class Peer(Protocol):
    """PostgreSQL or its model, and what only an operator can do."""

    login: DatabaseLogin

    async def audited(self) -> list[tuple[str, str | None, str | None]]: ...

    async def set_read_only(self) -> None: ...

    async def end_session(self, pid: int) -> None: ...


class RealPeer:
    """A real PostgreSQL."""

    def __init__(self, database: TestDatabase) -> None:
        self._database = database
        self.login = DatabaseLogin.of_service(database.settings())

    async def audited(self) -> list[tuple[str, str | None, str | None]]:
        return [tuple(row) for row in await self._database.rows(
            "select action, subject_kind, subject from audit where actor = 'tester' order by audit_id"
        )]  # fmt: skip

    async def set_read_only(self) -> None:
        self._database.server.sql(f"alter database {self._database.name} set default_transaction_read_only = on")

    async def end_session(self, pid: int) -> None:
        self._database.server.sql(f"select pg_terminate_backend({pid})")


class ModelPeer:
    """The model."""

    def __init__(self) -> None:
        random.seed(1)
        rows = Rows()
        rows["call_servers"]["main"] = {"name": "main", "credentials": "managed"}
        network = Network()
        self.server = Server("model", network, rows, uptime, time)
        self.driver = Driver(network, {"model": self.server})
        self.login = DatabaseLogin("postgresql://connector@model/connector", None)

    async def audited(self) -> list[tuple[str, str | None, str | None]]:
        rows = [row for commit in self.server.log for row in commit.audit if row["actor"] == "tester"]
        return [(row["action"], row["subject_kind"], row["subject"]) for row in rows]

    async def set_read_only(self) -> None:
        self.server.read_only = True

    async def end_session(self, pid: int) -> None:
        self.server.sessions[pid].end(asyncpg.AdminShutdownError("terminating connection"))


@pytest.fixture(params=["real", "model"])
async def peer(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    if request.param == "real":
        yield RealPeer(request.getfixturevalue("database"))
        return
    model = ModelPeer()
    with installed(model.driver):
        yield model
    answered.update(model.server.answered)


@pytest.fixture
async def pool(peer: Peer) -> AsyncIterator[Database]:
    async with Database(peer.login, size=5, deadline=3.0, start_deadline=5.0, any_schema=True) as opened:
        yield opened


class Heard:
    """The hints that a listener of its own gets until its marker arrives."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._hints: list[str] = []

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, login: DatabaseLogin) -> AsyncIterator[Heard]:
        connection = await login.connect()
        heard = cls(connection)
        await connection.add_listener("connector_changes", lambda *values: heard._hints.append(values[-1]))
        yield heard
        await connection.close()

    async def take(self) -> list[str]:
        """The hints since the last call, sorted."""
        await self._connection.execute("select pg_notify($1, $2)", "connector_changes", "marker")
        await eventually(lambda: "marker" in self._hints)
        hints, self._hints = self._hints[: self._hints.index("marker")], []
        return sorted(hint for hint in hints if not hint.startswith("heartbeat "))


async def make_user(database: Database, name: str, **values: Any) -> int:
    given: dict[str, Any] = {"passwd": "hash", "role": Role.AGENT, **values}
    return await users.create(database, origin=ORIGIN, name=name, **given)


async def make_extension(database: Database, number: str, user_id: int) -> None:
    await extensions.create(database, number, "main", "webrtc", origin=ORIGIN)
    await extensions.assign(database, number, user_id, origin=ORIGIN)


async def stored_hash(connection: asyncpg.pool.PoolConnectionProxy, user_id: int) -> str:
    row = await connection.fetchrow(users.SQL["get"], user_id)
    assert row is not None
    stored: str = row["passwd"]
    return stored


@contextlib.asynccontextmanager
async def following(peer: Peer, database: Database) -> AsyncIterator[tuple[Directory, ChangeListener]]:
    """A directory that follows, and its listener."""
    directory = Directory(uptime, time)
    owners = CredentialOwners({})
    listener = ChangeListener(peer.login, DirectoryLoader(database, directory, (), owners.update))
    task = asyncio.create_task(listener.run())
    await asyncio.wait_for(listener.loaded.wait(), 5)
    try:
        yield directory, listener
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert owners.imported == frozenset()


# --- users and tokens --------------------------------------------------------------------------------------------


async def test_users_are_created_found_changed_and_deleted(peer: Peer, pool: Database) -> None:
    async with Heard.of(peer.login) as heard:
        user_id = await make_user(pool, "Zoë Model", email="zoe@example.org", role=Role.ADMIN)
        assert await heard.take() == [f"user {user_id}"]
        found = await users.find_login(pool, "ZOË model")
        assert found is not None
        assert (found.person.user_id, found.passwd, found.auth_ip) == (user_id, "hash", ())
        assert await users.find_login(pool, "nobody at all") is None
        with pytest.raises(AlreadyExists, match="model is taken"):
            await make_user(pool, "zoë MODEL")
        with pytest.raises(UserTaken) as taken:
            await user_admin.create(
                pool,
                {"name": "other model", "email": "Zoe@Example.org", "passwd": "h", "user_type": "client"},
                user_id,
                origin=ORIGIN,
            )
        assert taken.value.fields == {"email"}
        assert await heard.take() == []
        row = await user_admin.change(
            pool, user_id, {"first_name": "Zo", "email": "z@example.org", "report_group": True}, origin=ORIGIN
        )
        assert (row.first_name, row.email, row.report_group, row.active) == ("Zo", "z@example.org", True, True)
        assert await heard.take() == [f"user {user_id}"]
        await user_admin.change(pool, user_id, {"first_name": "Zo"}, origin=ORIGIN)
        assert await heard.take() == []  # nothing differs
        made = await user_admin.create(
            pool, {"name": "made model", "passwd": "h", "user_type": "client"}, user_id, origin=ORIGIN
        )
        assert (made.create_user_id, made.user_type, made.email) == (user_id, "client", None)
        second = await make_user(pool, "second admin", role=Role.ADMIN)
        assert await user_admin.delete(pool, second, origin=ORIGIN) == "second admin"
        with pytest.raises(NotFound):
            await user_admin.change(pool, second, {"first_name": "Zo"}, origin=ORIGIN)
        with pytest.raises(NotFound):
            await user_admin.delete(pool, 9_999_999, origin=ORIGIN)
    actions = [(action, subject) for action, _, subject in await peer.audited()]
    assert actions == [
        ("user.created", "Zoë Model"), ("user.updated", "Zoë Model"), ("user.updated", "Zoë Model"),
        ("user.created", "made model"), ("user.created", "second admin"), ("user.deleted", "second admin"),
    ]  # fmt: skip


async def test_a_user_is_read_with_their_activity(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "active model", first_name="Ada")
    loader = UserLoader(pool, 3.0)
    row = await loader.get(user_id)
    assert row is not None
    assert (row.name, row.last_seen, row.login_ip) == ("active model", None, None)
    assert await loader.get(9_999_999) is None
    activity = Activity(pool)
    activity.record_login(user_id, "192.0.2.1")
    activity.record_use(9_999_999)
    await activity.flush()
    activity.record_use(user_id)
    await activity.flush()
    row = await loader.get(user_id)
    assert row is not None
    assert row.last_seen is not None
    assert row.last_login_time is not None
    assert row.login_ip == "192.0.2.1"
    assert row.last_seen >= row.last_login_time
    assert (bytes(row.client_limits), bytes(row.client)) == (b"[]", b"null")
    assert (row.auth_ip, row.report_count, row.default_billing_decimal) == ([], "1 Hour", 4)


async def test_last_logins_are_listed_newest_first(peer: Peer, pool: Database) -> None:
    ada, bob = await make_user(pool, "ada login model"), await make_user(pool, "bob login model")
    await make_user(pool, "no login model")
    began = datetime.now(UTC) - timedelta(seconds=1)
    for user_id, address in ((ada, "192.0.2.1"), (bob, "192.0.2.2")):
        activity = Activity(pool)
        activity.record_login(user_id, address)
        await activity.flush()
    logins = await users.list_login_addresses(pool, began, 10)
    assert [(user_id, address) for user_id, address, _ in logins] == [(bob, "192.0.2.2"), (ada, "192.0.2.1")]
    assert await users.list_login_addresses(pool, began, 1) == logins[:1]
    assert await users.list_login_addresses(pool, logins[0][2], 10) == []


async def test_one_process_writes_the_registration_history(peer: Peer, pool: Database) -> None:
    one, other = uuid4(), uuid4()
    first = await registration_history.lease(pool, "main", one)
    assert first.term is not None
    assert first.observed_age is None
    assert await registration_history.lease(pool, "main", other) == Lease(None, None)
    assert await registration_history.lease(pool, "main", one) == first
    assert await registration_history.lease(pool, "nowhere", one) == Lease(None, None)
    async with pool.connection() as connection:
        # a lease that has ended, as if its holder had gone long ago
        await connection.fetchval(registration_history.SQL["lease"], "main", one, -1.0)
    taken = await registration_history.lease(pool, "main", other)
    assert taken == Lease(first.term + 1, None)


async def test_tokens_are_issued_and_revoked(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "token model")
    async with Heard.of(peer.login) as heard, following(peer, pool) as (directory, listener):
        token, _ = await tokens.issue(pool, user_id, DAY, "made by hand", origin=ORIGIN)
        assert f"token \\x{token_hash(token).hex()}" in await heard.take()
        await listener.barrier()
        holder = directory.token_holder(token_hash(token))
        assert holder is not None
        assert holder.user_id == user_id
        logins = [(await tokens.issue_for_login(pool, user_id, DAY, "login", 2, origin=ORIGIN))[0] for _ in range(3)]
        await listener.barrier()
        assert [directory.token_holder(token_hash(each)) is not None for each in (token, *logins)] == [
            True, False, True, True,
        ]  # fmt: skip
        await tokens.revoke(pool, logins[1], origin=ORIGIN)
        await tokens.revoke(pool, logins[1], origin=ORIGIN)
        await listener.barrier()
        assert directory.has_ended(token_hash(logins[1]))
        assert await tokens.revoke_all(pool, user_id, origin=ORIGIN) == 2
        await listener.barrier()
        assert directory.token_holder(token_hash(token)) is None
        await user_admin.change(pool, user_id, {"active": False}, origin=ORIGIN)
        with pytest.raises(NotFound):
            await tokens.issue(pool, user_id, DAY, origin=ORIGIN)
        with pytest.raises(NotFound):
            await tokens.issue_for_login(pool, user_id, DAY, "login", 2, origin=ORIGIN)
        await users.activate(pool, user_id, origin=ORIGIN)
        await tokens.issue(pool, user_id, timedelta(seconds=-60), origin=ORIGIN)
        await listener.refresh("token *", within=3)
        assert directory.counts()["tokens"] <= 2  # the demo's, if there are any: an expired one is not read
    actions = Counter(action for action, _, _ in await peer.audited())
    assert actions["token.revoked"] == 2
    assert actions["login"] == 3
    assert actions["token.issued"] == 2


async def test_a_new_password_ends_tokens_and_secrets(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "secret model")
    await make_extension(pool, "8801", user_id)
    async with Heard.of(peer.login) as heard, following(peer, pool) as (directory, listener):
        token, _ = await tokens.issue(pool, user_id, DAY, origin=ORIGIN)
        await listener.barrier()
        before = directory.stored_extension("8801")
        await heard.take()
        await users.set_password(pool, user_id, "another hash", origin=ORIGIN)
        assert await heard.take() == ["extension 8801", f"token \\x{token_hash(token).hex()}", f"user {user_id}"]
        await listener.barrier()
        after = directory.stored_extension("8801")
        assert before is not None
        assert after is not None
        assert before.phones[0].secret != after.phones[0].secret
        assert after.phones[0].secret is not None
        assert len(after.phones[0].secret) == 32
        assert directory.has_ended(token_hash(token))


# --- extensions and phones ---------------------------------------------------------------------------------------


async def test_extensions_are_created_assigned_and_deleted(peer: Peer, pool: Database) -> None:
    ada, bob = await make_user(pool, "ada model"), await make_user(pool, "bob model")
    async with Heard.of(peer.login) as heard, following(peer, pool) as (directory, listener):
        await extensions.create(pool, "8801", "main", "webrtc", origin=ORIGIN)
        assert await heard.take() == ["extension 8801"]
        stored, unassigned = await extension_admin.create(
            pool, "8802", "main", "sip", "", origin=ORIGIN, name="bob model"
        )
        assert (stored.profile, stored.username, unassigned) == ("sip", "bob model", [])
        with pytest.raises(ExtensionExists):
            await extension_admin.create(pool, "8802", "main", "sip", "", origin=ORIGIN)
        await extensions.assign(pool, "8801", ada, origin=ORIGIN)
        with pytest.raises(ExtensionTaken):
            await extensions.assign(pool, "8801", bob, origin=ORIGIN)
        with pytest.raises(NoSuchExtension):
            await extensions.assign(pool, "8899", bob, origin=ORIGIN)
        await extensions.create(pool, "8803", "main", "webrtc", origin=ORIGIN)
        with pytest.raises(NoSuchUser):
            await extensions.assign(pool, "8803", 9_999_999, origin=ORIGIN)
        with pytest.raises(AlreadyExists):
            await extensions.assign(pool, "8803", ada, origin=ORIGIN)
        await listener.barrier()
        former = directory.stored_extension("8801")
        await heard.take()
        assert await extensions.reassign(pool, "8803", origin=ORIGIN, name="ADA model") == ("8803", ["8801"])
        assert await heard.take() == ["extension 8801", "extension 8803"]
        await listener.barrier()
        left, now = directory.stored_extension("8801"), directory.stored_extension("8803")
        assert former is not None
        assert left is not None
        assert now is not None
        assert (left.user_id, now.user_id) == (None, ada)
        assert left.phones[0].secret != former.phones[0].secret
        person = directory.person_by_name("ada model")
        assert person is not None
        assert directory.extension_of(person.uid) == now
        with pytest.raises(ExtensionTaken):
            await extensions.reassign(pool, "8802", origin=ORIGIN, uid=person.uid)
        assert await extensions.find_number(pool, "8802") == "8802"
        with pytest.raises(NoSuchExtension):
            await extensions.find_number(pool, "8899")
        assert (await extensions.unassign_user(pool, "Bob Model", origin=ORIGIN)).extension == "8802"
        with pytest.raises(NoSuchExtension):
            await extensions.unassign_user(pool, "Bob Model", origin=ORIGIN)
        await extensions.unassign(pool, "8803", origin=ORIGIN)
        await extensions.set_enabled(pool, "8803", False, origin=ORIGIN)
        changed = await extension_admin.change(pool, "8803", origin=ORIGIN, profile="sip", enabled=True, secret=None)
        assert (changed.enabled, changed.profile, changed.uid) == (True, "sip", None)
        for missing in (extensions.unassign, extensions.delete):
            with pytest.raises(NoSuchExtension):
                await missing(pool, "8899", origin=ORIGIN)
        with pytest.raises(NoSuchExtension):
            await extensions.set_enabled(pool, "8899", True, origin=ORIGIN)
        await extensions.delete(pool, "8803", origin=ORIGIN)
        await listener.barrier()
        assert directory.stored_extension("8803") is None


async def test_a_deleted_user_leaves_an_extension_with_new_secrets(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "gone model")
    await make_extension(pool, "8801", user_id)
    token, _ = await tokens.issue(pool, user_id, DAY, origin=ORIGIN)
    async with Heard.of(peer.login) as heard, following(peer, pool) as (directory, listener):
        before = directory.stored_extension("8801")
        await user_admin.delete(pool, user_id, origin=ORIGIN)
        assert await heard.take() == ["extension 8801", f"token \\x{token_hash(token).hex()}", f"user {user_id}"]
        await listener.barrier()
        after = directory.stored_extension("8801")
        assert before is not None
        assert after is not None
        assert after.user_id is None
        assert before.phones[0].secret != after.phones[0].secret


async def test_phones_are_created_read_in_order_and_deleted(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "phone model")
    await make_extension(pool, "8801", user_id)
    kind = PHONE_KINDS["linphone"]
    async with following(peer, pool) as (directory, listener):
        made, link = await phones.create(
            pool, phones.Holder(user_id=user_id), kind, "desk", origin=ORIGIN, most=2, with_link=False
        )
        assert link is None
        assert (made.extension, made.label, made.username) == ("8801", "desk", "phone model")
        assert await phones.get(pool, made.phone_id) == made
        await listener.barrier()
        stored = directory.stored_extension("8801")
        assert stored is not None
        assert [phone.endpoint for phone in stored.phones] == ["8801", made.endpoint]
        assert stored.phones[1].kind == "linphone"
        assert stored.phones[1].auth_username == made.endpoint
        with pytest.raises(PhoneRefused):
            await phones.create(pool, phones.Holder(user_id=user_id), kind, "", origin=ORIGIN, most=2, with_link=False)
        with pytest.raises(PhoneRefused):
            await phones.delete(pool, stored.phones[0].phone_id, origin=ORIGIN)
        assert await phones.delete(pool, made.phone_id, origin=ORIGIN) == ("8801", made.endpoint)
        await listener.barrier()
        stored = directory.stored_extension("8801")
        assert stored is not None
        assert len(stored.phones) == 1


# --- what the server does ----------------------------------------------------------------------------------------


async def test_rows_of_batches_are_appended_to_the_trail(peer: Peer, pool: Database) -> None:
    change = AuditedChange(Action.SECRET_DISCLOSED, None, ORIGIN)
    now = datetime.now(UTC)
    await audit_rows.append(pool, [BatchRow(1, change, now, 1), BatchRow(2, change, now, 7, now)])
    assert await peer.audited() == [("secret.disclosed", None, None)] * 2


async def test_a_snapshot_stays_while_others_commit(peer: Peer, pool: Database) -> None:
    await make_user(pool, "before model")
    async with (
        pool.connection() as reading,
        reading.transaction(isolation="repeatable_read", readonly=True),
    ):
        cursor = await reading.cursor(PEOPLE)
        first = await cursor.fetch(1)
        user_id = await make_user(pool, "meanwhile model")
        rest = await cursor.fetch(1000)
        again = await reading.fetch(PEOPLE)
        assert len(first) == 1
        assert len(first) + len(rest) == len(again)
        assert user_id not in {row["user_id"] for row in [*first, *rest, *again]}
        assert await cursor.fetch(10) == []
    async with pool.connection() as reading:
        assert user_id in {row["user_id"] for row in await reading.fetch(PEOPLE)}


async def test_a_writer_waits_for_the_one_before(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "locked model")
    statement = users.SQL["set_password"]
    async with pool.connection() as one, pool.connection() as two:
        await two.fetchval(users.SQL["activate"], user_id)
        transaction = one.transaction()
        await transaction.start()
        await one.fetchval(statement, user_id, "first")
        with pytest.raises(TimeoutError):
            await two.fetchval(statement, user_id, "second", timeout=0.2)
        waiting = asyncio.create_task(two.fetchval(statement, user_id, "third"))
        await asyncio.sleep(0)
        assert await stored_hash(one, user_id) == "first"
        await transaction.commit()
        assert await waiting == user_id
        assert await stored_hash(one, user_id) == "third"


async def test_a_failed_statement_ends_the_transaction_and_its_notifications(peer: Peer, pool: Database) -> None:
    await make_user(pool, "first model")
    async with Heard.of(peer.login) as heard:
        async with pool.connection() as connection:
            transaction = connection.transaction()
            await transaction.start()
            other = await connection.fetchval(
                users.SQL["create"], "second model", None, "h", "agent", None, None, "a" * 17, None
            )
            with pytest.raises(asyncpg.UniqueViolationError):
                await connection.fetchval(
                    users.SQL["create"], "First Model", None, "h", "agent", None, None, "b" * 17, None
                )
            with pytest.raises(asyncpg.InFailedSQLTransactionError):
                await connection.fetch(PEOPLE)
            await transaction.rollback()
            assert other not in {row["user_id"] for row in await connection.fetch(PEOPLE)}
        assert await heard.take() == []


async def test_a_session_that_the_server_ends_is_an_outage_and_the_next_one_works(peer: Peer, pool: Database) -> None:
    async def outage() -> None:
        async with pool.connection() as connection:
            await connection.fetch(PEOPLE)
            await peer.end_session(connection.get_server_pid())
            await eventually(connection.is_closed)
            await connection.fetch(PEOPLE)

    with pytest.raises(DatabaseUnavailable):
        await outage()
    async with pool.connection() as connection:
        assert await connection.fetch(PEOPLE) is not None


async def test_a_read_only_database_answers_reads_and_refuses_writes(peer: Peer, pool: Database) -> None:
    user_id = await make_user(pool, "read model")
    await peer.set_read_only()
    connection = await peer.login.connect()
    assert peer.login.write_access.read_only_since is not None
    assert user_id in {row["user_id"] for row in await connection.fetch(PEOPLE)}
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        await connection.fetchval(users.SQL["set_password"], user_id, "hash")
    assert await connection.execute("select pg_notify($1, $2)", "connector_changes", "marker") == "SELECT 1"
    await connection.close()
    async with Database(peer.login, size=1, deadline=3.0, start_deadline=5.0, any_schema=True) as another:
        with pytest.raises(DatabaseReadOnly):
            await users.set_password(another, user_id, "hash", origin=ORIGIN)


def test_each_statement_that_the_model_answers_was_compared() -> None:
    """It runs last, in one process with the others."""
    assert set(answered) == set(ANSWERED)
