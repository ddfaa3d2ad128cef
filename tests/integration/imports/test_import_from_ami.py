"""`extension import --from-ami` from real Asterisks, and phones that register with what was imported."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from time import perf_counter
from typing import Any

import pytest

from service.ami.accounts import Account
from service.ami.endpoint_list import read_pbx
from service.db import imports
from service.db.imports import Options, PlannedImport
from service.db.pool import Database
from service.domain.imports.endpoints import read_source
from service.domain.imports.source import Source
from tests.integration.imports.support import IMPORTED, NAME, column, dump, execute, settings, variables
from tests.support.command_line import Done, in_this_process
from tests.support.database import TestDatabase
from tests.support.existing.freepbx import freepbx
from tests.support.existing.pbx import ExistingPbx, existing
from tests.support.origins import PREPARED
from tests.support.server import ADMIN, Server, Start

Import = Callable[..., Done]


@pytest.fixture
def run(
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    logged: list[dict[str, object]],
) -> Import:
    """Imports from a PBX."""
    execute(database, IMPORTED)

    def run_import(pbx: ExistingPbx, *options: str, secret: str = "", **values: str) -> Done:
        given = (secret or pbx.shape.accounts.credentials) + "\n"
        arguments = ("extension", "import", "--call-server", NAME, "--from-ami", "credentials", *options)
        return in_this_process(
            monkeypatch, capsys, variables(database, pbx, **values), *arguments, given=given.encode()
        )

    return run_import


def counts(done: Done) -> dict[str, int]:
    assert done.returncode == 0, done.stderr
    return {kind: count for kind, count in json.loads(done.stdout)["counts"].items() if count}


def test_1_000_extensions_are_imported_in_seconds_and_a_repetition_changes_nothing(
    run: Import, freepbx_like: ExistingPbx, database: TestDatabase
) -> None:
    began = perf_counter()
    assert counts(run(freepbx_like, "--json", "--apply", "--with-users")) == {
        "new_extensions": 1001,
        "new_phones": 1006,
        "new_people": 1001,
        "skipped": 2,
    }
    assert perf_counter() - began < 60
    stored = zip(
        *(column(database, name) for name in ("endpoint", "extension", "auth_username", "secret")), strict=True
    )
    expected = {(one.endpoint, one.number, one.auth_username, one.secret) for one in freepbx_like.shape.phones}
    assert {*stored} == expected
    after = dump(database)
    people = {row[1]: row for row in after["users"]}
    assert people["1001"][2:] == ("Ada Byron", None, "", "agent", True)
    assert people["1003"][2] == "Zoë, Sales"
    assert counts(run(freepbx_like, "--json", "--apply", "--with-users")) == {"unchanged": 1006, "skipped": 2}
    assert dump(database) == after


def test_other_shapes_are_imported_whole(
    run: Import,
    vanilla_like: ExistingPbx,
    mikopbx_like: ExistingPbx,
    chan_sip_like: ExistingPbx,
    database: TestDatabase,
) -> None:
    for pbx, prefix in ((vanilla_like, ""), (mikopbx_like, ""), (chan_sip_like, "")):
        told = counts(run(pbx, "--json", "--apply", HINT_CONTEXT=pbx.shape.hint_context))
        phones = [one for one in pbx.shape.phones if one.technology == "PJSIP"]
        assert told["new_phones"] == len(phones), prefix
        assert {*column(database, "endpoint")} >= {one.endpoint for one in phones}
    rows = dump(database)["extensions"]
    assert [row[0] for row in rows if row[0] in ("1003", "1007")] == ["1003", "1007"]  # of chan_sip and IAX2


def test_the_secret_of_the_account_is_never_shown(run: Import, vanilla_like: ExistingPbx) -> None:
    done = run(vanilla_like, secret="a-wrong-secret-of-ami")
    assert (done.returncode, done.stdout) == (1, "")
    assert "AMI refuses the account 'credentials'" in done.stderr
    assert "a-wrong-secret-of-ami" not in done.stderr
    assert "no AMI secret was given on standard input" in run(vanilla_like, secret="\n").stderr


async def source_of(pbx: ExistingPbx) -> Source:
    config = pbx.asterisk.config
    monitor = Account("127.0.0.1", config.ami_port, "monitor", config.monitor_secret)
    reader = Account("127.0.0.1", config.ami_port, "credentials", pbx.shape.accounts.credentials)
    endpoints, hints = await read_pbx(monitor, reader)
    return read_source(endpoints, hints, pbx.shape.hint_context)


async def test_two_imports_at_once_are_one(small_freepbx_like: ExistingPbx, database: TestDatabase) -> None:
    await database.execute(IMPORTED)
    source = await source_of(small_freepbx_like)
    made = settings(database, small_freepbx_like)

    async def apply() -> PlannedImport:
        async with Database.of(made) as own:
            return await imports.apply(own, NAME, source, Options(with_people=True), origin=PREPARED)

    done = await asyncio.gather(*(apply() for _ in range(4)))
    new = sorted(len(planned.plan.new_phones) for planned in done)
    assert new == [0, 0, 0, len(small_freepbx_like.shape.phones)]
    assert sorted(planned.plan.unchanged for planned in done)[1:] == [len(small_freepbx_like.shape.phones)] * 3


async def imported(pbx: ExistingPbx, database: TestDatabase, start: Start) -> Server:
    """A service in front of a PBX whose extensions were imported, with people."""
    await database.execute(IMPORTED)
    made = settings(database, pbx)
    async with Database.of(made) as own:
        await imports.apply(own, NAME, await source_of(pbx), Options(with_people=True), origin=PREPARED)
    return await start(made)


async def test_a_phone_registers_with_what_was_imported(
    vanilla_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    """Number, endpoint and the name to authenticate with are three."""
    server = await imported(vanilla_like, database, start)
    (row,) = await database.rows("select uid from users where name = '1005'")
    answer = await (await server.registration(row["uid"])).json()
    details = answer["extensionDetails"]
    assert (details["extension"], details["authUsername"]) == ("alice", "alice-login")
    phone = vanilla_like.phone("alice", auth_username=details["authUsername"])
    assert details["password"] == vanilla_like.shape.phone("alice").secret
    await asyncio.to_thread(phone.start)
    try:
        await asyncio.to_thread(phone.wait_registered)
        await server.shows("Not in use", row["uid"], within=30)
    finally:
        await asyncio.to_thread(phone.stop)


async def test_a_person_without_a_password_logs_in_once_one_is_set(
    vanilla_like: ExistingPbx, database: TestDatabase, start: Start
) -> None:
    server = await imported(vanilla_like, database, start)
    (row,) = await database.rows("select user_id, passwd from users where name = '1005'")
    answer = await server.client.get(f"/user/{row['user_id']}", headers=ADMIN)
    payload: dict[str, Any] = (await answer.json())["payload"]
    assert (payload["passwd"], payload["user_type"], payload["active"]) == ("", "agent", True)

    async def status(password: str) -> int:
        answer = await server.client.post("/api/v1/login", json={"user": "1005", "password": password})
        return answer.status

    assert [await status(password) for password in ("", " ", "x", "1005")] == [401] * 4
    change = {"passwd": "a password of hers"}
    assert (await server.client.patch(f"/user/{row['user_id']}", json=change, headers=ADMIN)).status == 200
    assert await status("a password of hers") == 200


async def test_two_pbxs_with_the_same_numbers_are_kept_apart_by_a_prefix(
    small_freepbx_like: ExistingPbx,
    tmp_path_factory: pytest.TempPathFactory,
    database: TestDatabase,
    start: Start,
) -> None:
    """Both have a 1001; each phone registers with its own Asterisk, and each extension has its own state."""
    await database.execute(IMPORTED)
    await database.execute("insert into call_servers (name, credentials) values ('north', 'imported')")
    with existing(tmp_path_factory, freepbx(2, twins=0)) as north:
        made = settings(database, small_freepbx_like)
        server_of_north = north.call_server(credentials="imported", database_role=None, database_password=None)
        made = made.model_copy(update={"call_servers": {**made.call_servers, "north": server_of_north}})
        async with Database.of(made) as own:
            await imports.apply(
                own, NAME, await source_of(small_freepbx_like), Options(with_people=True), origin=PREPARED
            )
            without = await imports.plan(own, "north", await source_of(north), Options())
            assert {one.reason for one in without.plan.skipped} > {
                "its number 1001 belongs to call server branch: use --prefix",
                "its number 1002 belongs to call server branch: use --prefix",
            }
            await imports.apply(
                own, "north", await source_of(north), Options(prefix="8", with_people=True), origin=PREPARED
            )
        server = await start(made)
        uids = {row["name"]: row["uid"] for row in await database.rows("select name, uid from users")}
        details = [
            (await (await server.registration(uids[name])).json())["extensionDetails"] for name in ("1002", "81002")
        ]
        assert details[0]["password"] != details[1]["password"]
        assert (details[1]["extension"], details[1]["password"]) == ("1002", north.shape.phone("1002").secret)
        phone = north.phone("1002")
        await asyncio.to_thread(phone.start)
        try:
            await asyncio.to_thread(phone.wait_registered)
            await server.shows("Not in use", uids["81002"], within=30)
            await server.shows("Unavailable", uids["1002"], within=30)
        finally:
            await asyncio.to_thread(phone.stop)
