"""`secrets key|status|rekey` on a real PostgreSQL: what is encrypted, with which key, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import asyncpg
import pytest

from service.domain.secret_keys import asterisk_setting
from tests.integration.secrets.keys import KEY, OTHER, with_keys
from tests.support.command_line import Done, in_this_process
from tests.support.database import ASTERISK, OWNER, PASSWORD, TestDatabase

UNCHECKED = ("secrets", "rekey", "--unchecked")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Runs a command in a thread, as the test has a loop of its own."""
    import asyncio

    async def running(variables: dict[str, str], *arguments: str) -> Done:
        return await asyncio.to_thread(in_this_process, monkeypatch, capsys, variables, *arguments)

    return running


async def passwords(database: TestDatabase, keys: str = "") -> dict[str, str]:
    """What an Asterisk with these keys reads."""
    asterisk = await asyncpg.connect(
        database.server.url(ASTERISK, database.name),
        password=PASSWORD,
        server_settings={"connector.keys": keys} if keys else {},
    )
    rows = await asterisk.fetch("select id, password from ps_auths")
    await asterisk.close()
    return {row["id"]: row["password"] for row in rows}


async def test_passwords_are_encrypted_rekeyed_and_decrypted_again(database: TestDatabase, run: Any) -> None:
    await database.execute(
        "update phones set secret = 'newer', former_until = now() + interval '1 day' where endpoint = '12343'"
    )
    plain = await passwords(database)
    assert plain.keys() == {"12342", "12343", "12343~"}

    done = await run(with_keys(database, KEY), *UNCHECKED)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"main: 2 phones rewritten, all readable ones are encrypted with key {KEY.name}.\n"
    assert await passwords(database) == {}
    assert await passwords(database, asterisk_setting([KEY], "main")) == plain
    assert "0 phones rewritten" in (await run(with_keys(database, KEY), *UNCHECKED)).stdout

    done = await run(with_keys(database, OTHER, KEY), *UNCHECKED)
    assert done.returncode == 0, done.stderr
    assert await passwords(database, asterisk_setting([KEY], "main")) == {}
    assert await passwords(database, asterisk_setting([OTHER], "main")) == plain

    done = await run(with_keys(database, OTHER), "secrets", "rekey", "--plain")
    assert done.stdout == "main: 2 phones rewritten, all readable ones are stored in plain text.\n"
    assert await passwords(database) == plain
    rows = await database.rows("select from phones where sealed is not null or former_sealed is not null")
    assert rows == []
    trail = await database.rows("select details from audit where action = 'secrets.rekeyed' order by at")
    assert [json.loads(row["details"])["key"] for row in trail] == [KEY.name, OTHER.name, "none"]


async def test_what_no_key_opens_is_left_alone_counted_and_reported(database: TestDatabase, run: Any) -> None:
    await run(with_keys(database, KEY), *UNCHECKED)
    await database.execute("insert into extensions (extension, call_server) values ('12349', 'main')")
    await database.execute(
        "insert into phones (call_server, endpoint, extension, auth_username) "
        "values ('main', '12349', '12349', '12349')"
    )
    before = await database.rows("select sealed from phones order by phone_id")
    done = await run(with_keys(database, OTHER), *UNCHECKED)
    assert done.returncode == 1
    assert done.stderr.startswith(
        "error: 2 phones have passwords that no key of the settings opens, and were left alone"
    )
    assert await database.rows("select sealed from phones order by phone_id") == before
    done = await run(with_keys(database, OTHER), "secrets", "status")
    assert done.returncode == 1
    assert done.stdout.splitlines()[1].split() == [
        *("main", "managed", OTHER.name, "3", "0", "2", f"({KEY.name})", "0", "1", "2"),
    ]
    (row,) = json.loads((await run(with_keys(database, OTHER, KEY), "secrets", "status", "--json")).stdout)
    assert row == {
        "call_server": "main", "credentials": "managed", "key_name": OTHER.name, "phones": 3, "plain": 0,
        "encrypted": 0, "other_key": 2, "keys": [KEY.name], "without": 1, "unreadable": 0,
    }  # fmt: skip


async def test_each_asterisk_gets_its_own_derived_key_on_standard_output_only(database: TestDatabase, run: Any) -> None:
    done = await run(with_keys(database, KEY, OTHER), "secrets", "key", "main")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == asterisk_setting([KEY, OTHER], "main") + "\n"
    assert KEY.key.hex() not in done.stdout
    done = await run(with_keys(database, KEY), "secrets", "key", "mian")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: there is no call server 'mian'; the settings have: main\n"
    done = await run(with_keys(database), "secrets", "key", "main")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "error: CONNECTOR_SECRETS_KEY is not set: `openssl rand -hex 32` makes a key\n"


async def test_pgcrypto_in_another_schema_is_named_with_the_remedy(database: TestDatabase, run: Any) -> None:
    await database.execute("create schema elsewhere")
    await database.execute("create extension pgcrypto schema elsewhere")
    done = await run(with_keys(database, KEY), *UNCHECKED)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the extension pgcrypto is in schema elsewhere: "
        "run `alter extension pgcrypto set schema public` as superuser\n"
    )
    database.server.sql("alter extension pgcrypto set schema public", database.name)
    assert (await run(with_keys(database, KEY), *UNCHECKED)).returncode == 0


async def test_an_owner_who_may_not_create_pgcrypto_is_told_what_a_superuser_runs(
    database: TestDatabase, run: Any
) -> None:
    database.server.sql(
        f"alter database {database.name} owner to postgres; grant connect on database {database.name} to {OWNER}"
    )
    done = await run(with_keys(database, KEY), *UNCHECKED)
    assert done.returncode == 1
    assert done.stderr == (
        "error: the owner may not create the extension pgcrypto: "
        "run `create extension pgcrypto schema public` as superuser\n"
    )
    assert (await database.rows("select secrets_key from call_servers"))[0]["secrets_key"] is None


async def test_an_asterisk_that_cannot_be_asked_is_not_locked_out(database: TestDatabase, run: Any) -> None:
    done = await run(with_keys(database, KEY), "secrets", "rekey")
    assert done.returncode == 1
    assert done.stderr.startswith("error: the Asterisk of main cannot be asked: AMI at 127.0.0.1:9 is out of reach")
    assert done.stderr.endswith("or give --unchecked if its Asterisk has the key\n")
    assert (await passwords(database)).keys() == {"12342", "12343"}


async def test_a_serving_process_without_the_key_is_noticed(database: TestDatabase, run: Any, start: Any) -> None:
    await start(database.settings(secrets_key=OTHER.key.hex()))
    done = await run(with_keys(database, KEY), "secrets", "rekey")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: 1 serving processes lack key {KEY.name}: restart them")
    assert (await passwords(database)).keys() == {"12342", "12343"}


async def test_no_second_run_at_the_same_time(database: TestDatabase, run: Any) -> None:
    other = await database.connect()
    await other.execute("select pg_advisory_lock(1801812339)")
    done = await run(with_keys(database, KEY), *UNCHECKED)
    await other.close()
    assert (done.returncode, done.stderr) == (1, "error: another secrets rekey is under way\n")
