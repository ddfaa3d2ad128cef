"""`backup` and `restore` as an operator runs them: to a new machine, with the real programs of PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from local.asterisk_programs import Programs
from service.cli.demo import LOGINS, SIP_PASSWORD
from service.db import schema
from service.db.migrate import migrate
from service.domain.secret_keys import asterisk_setting
from tests.integration.db.test_restore import new_cluster, snapshot
from tests.integration.secrets.keys import KEY, OTHER, with_keys
from tests.integration.secrets.test_asterisk import registers, with_asterisk_keys
from tests.support.command_line import Done, command, environment, with_programs
from tests.support.database import OWNER, PASSWORD, TestDatabase, cloned
from tests.support.pbx import make_pbx
from tests.support.server import ADMIN, AGENT_UID, serving


async def run(database: TestDatabase, *arguments: str, variables: dict[str, str] | None = None) -> Done:
    """A command, with PostgreSQL's programs on the PATH."""
    return await asyncio.to_thread(
        command, {**(variables or environment(database)), **with_programs(database)}, *arguments
    )


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


async def backed_up(database: TestDatabase, folder: Path, variables: dict[str, str] | None = None) -> Path:
    file = folder / "night.backup"
    done = await run(database, "backup", str(file), variables=variables)
    assert (done.returncode, done.stderr) == (0, "")
    return file


async def contents(database: TestDatabase) -> str | None:
    """The first tables in the database; None if there are none."""
    (row,) = await database.rows("select string_agg(relname, ' ') as names from pg_class where relkind = 'r' and "
                                 "relnamespace = 'public'::regnamespace")  # fmt: skip
    names: str | None = row["names"]
    return names


async def test_tokens_and_phones_go_on_working_on_a_new_machine(
    database: TestDatabase, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, programs: Programs
) -> None:
    async with serving(database.settings()) as server:
        headers = await server.login(LOGINS[1][0], LOGINS[1][1])
    file = await backed_up(database, tmp_path)
    async with new_cluster(tmp_path) as fresh:
        done = await run(fresh, "restore", str(file))
        assert done.returncode == 0, done.stderr
        assert "Restored the backup of " in done.stdout
        async with serving(fresh.settings()) as server:
            assert (await server.registration(AGENT_UID, headers)).status == 200
            assert (await server.registration(AGENT_UID, ADMIN)).status == 200
        pbx = make_pbx(tmp_path_factory, fresh, programs=programs)
        with pbx.asterisk:
            assert registers(pbx.phone("12342", SIP_PASSWORD))
        rows = await fresh.rows("select action, details from audit where action like 'backup.%' order by audit_id")
        assert [row["action"] for row in rows] == ["backup.made", "backup.restored"]
        assert json.loads(rows[0]["details"]) == {"file": "night.backup"}


async def test_a_restored_database_is_the_one_that_was_backed_up(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute("select setval('users_user_id_seq', 5000)")
    file = await backed_up(database, tmp_path)
    async with new_cluster(tmp_path) as fresh:
        assert (await run(fresh, "restore", str(file))).returncode == 0
        await fresh.execute("delete from audit where action = 'backup.restored'")
        before, after = ([line for line in snapshot(each) if "audit_audit_id_seq" not in line]
                         for each in (database, fresh))  # fmt: skip
        assert after == before


async def test_the_file_is_for_its_owner_alone_complete_and_readable_without_this_program(
    database: TestDatabase, tmp_path: Path
) -> None:
    file = await backed_up(database, tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert names(tmp_path) == ["night.backup"]
    with tarfile.open(file) as archive:
        archive.extractall(tmp_path, filter="data")
    checking = ["sha256sum", "--check", "--strict", "SHA256SUMS"]
    await asyncio.to_thread(subprocess.run, checking, cwd=tmp_path, check=True, capture_output=True)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert (manifest["format"], manifest["revisions"]) == (1, schema.known_revisions())
    assert manifest["rows"]["users"] == 5
    assert (manifest["keys"], manifest["plain_secrets"]) == ({}, 2)
    assert manifest["roles"]["owner"] == OWNER
    assert (tmp_path / "database.dump").read_bytes()[:5] == b"PGDMP"


async def test_a_folder_gets_a_file_named_by_the_time_and_programs_get_facts(
    database: TestDatabase, tmp_path: Path
) -> None:
    done = await run(database, "backup", str(tmp_path), "--json")
    facts = json.loads(done.stdout)
    (name,) = names(tmp_path)
    assert re.fullmatch(r"asterisk-connector-\d{8}T\d{6}Z\.backup", name)
    assert (facts["file"], facts["bytes"]) == (str(tmp_path / name), (tmp_path / name).stat().st_size)
    assert "in plain text" in facts["done"]


async def test_the_key_is_not_in_the_file_and_the_restore_names_it(
    database: TestDatabase, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, programs: Programs
) -> None:
    variables = with_keys(database, KEY)
    assert (await run(database, "secrets", "rekey", "--unchecked", variables=variables)).returncode == 0
    file = await backed_up(database, tmp_path, variables)
    data = file.read_bytes()
    assert KEY.name.encode() in data
    for secret in (KEY.key.hex(), KEY.derive("main").hex(), PASSWORD):
        assert secret.encode() not in data
    async with new_cluster(tmp_path) as fresh:
        for keys in ((), (OTHER,)):
            refused = await run(fresh, "restore", str(file), variables=with_keys(fresh, *keys))
            assert refused.returncode == 1
            assert f"encrypted with key {KEY.name} (2 phones), which this command does not have" in refused.stderr
            assert "none of these phones registers" in refused.stderr
        assert await contents(fresh) is None
        done = await run(fresh, "restore", str(file), variables=with_keys(fresh, OTHER, KEY))
        assert done.returncode == 0, done.stderr
        pbx = make_pbx(tmp_path_factory, fresh, programs=programs)
        with with_asterisk_keys(pbx, asterisk_setting([KEY], "main")).asterisk:
            assert registers(pbx.phone("12342", SIP_PASSWORD))


async def test_a_lost_key_costs_the_phones_and_nothing_else(database: TestDatabase, tmp_path: Path) -> None:
    variables = with_keys(database, KEY)
    assert (await run(database, "secrets", "rekey", "--unchecked", variables=variables)).returncode == 0
    file = await backed_up(database, tmp_path, variables)
    async with new_cluster(tmp_path) as fresh:
        assert (await run(fresh, "restore", "--without-key", str(file))).returncode == 0
        async with serving(fresh.settings()) as server:
            assert (await server.client.get("/user/1795", headers=ADMIN)).status == 200
            assert (await server.registration(AGENT_UID)).status == 503


def flip(file: Path, word: bytes) -> None:
    data = bytearray(file.read_bytes())
    data[data.index(word) + 1] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda file: flip(file, b"PGDMP"), "its checksums differ"),
        (lambda file: flip(file, b'"made_at"'), "its checksums differ"),
        (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "is damaged"),
        (lambda file: file.write_bytes(b""), "is damaged"),
        (lambda file: file.write_bytes(b"PGDMP" * 1000), "is damaged"),
        (lambda file: file.unlink(), "No such file"),
    ],
    ids=["dump", "manifest", "half", "empty", "other", "missing"],
)
async def test_a_damaged_file_changes_nothing(
    template: TestDatabase, backup_of_template: Path, tmp_path: Path, empty: TestDatabase, damage: object, told: str
) -> None:
    file = Path(shutil.copy(backup_of_template, tmp_path))
    assert callable(damage)
    damage(file)
    done = await run(empty, "restore", str(file))
    assert done.returncode == 1
    assert told in done.stderr
    assert await contents(empty) is None


@pytest.fixture(scope="module")
async def backup_of_template(template: TestDatabase, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with cloned(template) as database:
        return await backed_up(database, tmp_path_factory.mktemp("backup"))


@pytest.fixture
def empty(template: TestDatabase) -> object:
    """An empty database of the same owner."""
    name = "restored_here"
    template.server.create_database(name, OWNER, PASSWORD)
    yield TestDatabase(template.server, name)
    template.server.sql(f"drop database {name} with (force)")


async def test_check_says_that_all_is_well_and_changes_nothing(empty: TestDatabase, backup_of_template: Path) -> None:
    done = await run(empty, "restore", "--check", str(backup_of_template))
    assert done.returncode == 0
    assert "Nothing was changed." in done.stdout
    assert await contents(empty) is None


async def test_a_database_that_is_not_empty_is_left_alone(template: TestDatabase, backup_of_template: Path) -> None:
    with cloned(template) as busy:
        before = snapshot(busy)
        done = await run(busy, "restore", str(backup_of_template))
        assert done.returncode == 1
        assert "is not empty, it holds " in done.stderr
        assert snapshot(busy) == before


async def test_a_single_table_or_function_makes_a_database_not_empty(
    empty: TestDatabase, backup_of_template: Path
) -> None:
    for make, drop in (
        ("table t ()", "table t"),
        ("function f() returns int language sql as 'select 1'", "function f"),
    ):
        await empty.execute(f"create {make}")
        done = await run(empty, "restore", str(backup_of_template))
        assert (done.returncode, "is not empty" in done.stderr) == (1, True)
        await empty.execute(f"drop {drop}")
    await empty.execute("create extension pgcrypto")  # which `setup` or somebody may have made
    assert (await run(empty, "restore", "--check", str(backup_of_template))).returncode == 0


async def test_a_backup_of_a_newer_schema_is_refused(
    template: TestDatabase, empty: TestDatabase, tmp_path: Path
) -> None:
    with cloned(template) as newer:
        await newer.execute("insert into schema_migrations (revision, name) values ('9999', 'later')")
        file = await backed_up(newer, tmp_path)
    done = await run(empty, "restore", str(file))
    assert done.returncode == 1
    assert "the backup has schema revision 9999" in done.stderr
    assert await contents(empty) is None


async def test_an_existing_file_is_never_replaced(database: TestDatabase, tmp_path: Path) -> None:
    file = tmp_path / "night.backup"
    file.write_text("the last good one")
    done = await run(database, "backup", str(file))
    assert (done.returncode, "exists already" in done.stderr) == (1, True)
    assert file.read_text() == "the last good one"
    assert await database.rows("select from audit where action = 'backup.made'") == []


async def test_a_folder_that_is_missing_or_closed_is_told(database: TestDatabase, tmp_path: Path) -> None:
    done = await run(database, "backup", str(tmp_path / "nowhere/file"))
    assert (done.returncode, "cannot be written: No such file or directory" in done.stderr) == (1, True)


async def test_a_program_that_fails_leaves_no_file_and_no_secret_in_the_message(
    database: TestDatabase, tmp_path: Path
) -> None:
    tool = tmp_path / "tool/pg_dump"
    tool.parent.mkdir()
    tool.write_text(
        "#!/bin/sh\n[ \"$1\" = --version ] && echo 'pg_dump (PostgreSQL) 99.1' && exit\ntr '\\0' ' ' "
        f"< /proc/$$/cmdline > {tmp_path}/argv\nenv > {tmp_path}/env\necho half\n"
        "echo 'pg_dump: error: query failed: ERROR:  invalid value: \"hunter2\"' >&2\nexit 1\n"
    )
    tool.chmod(0o755)
    variables = {**with_keys(database, KEY), "PATH": f"{tool.parent}:{os.environ['PATH']}"}
    done = await asyncio.to_thread(command, variables, "backup", str(tmp_path / "file"))
    assert done.returncode == 1
    assert "pg_dump failed: query failed: ERROR:  invalid value" in done.stderr
    assert "hunter2" not in done.stderr
    assert names(tmp_path) == ["argv", "env", "tool"]
    assert PASSWORD not in (tmp_path / "argv").read_text()
    assert f"PGPASSWORD={PASSWORD}" in (tmp_path / "env").read_text()
    assert KEY.key.hex() not in (tmp_path / "env").read_text()


async def test_a_backup_needs_a_schema_of_this_release(database: TestDatabase, tmp_path: Path) -> None:
    await database.execute(
        "delete from schema_migrations where revision = (select max(revision) from schema_migrations)"
    )
    done = await run(database, "backup", str(tmp_path / "file"))
    assert (done.returncode, "run `python -m service migrate`" in done.stderr) == (2, True)


async def test_a_database_that_takes_no_changes_by_default_is_backed_up(database: TestDatabase, tmp_path: Path) -> None:
    database.server.sql(f"alter database {database.name} set default_transaction_read_only = on")
    await backed_up(database, tmp_path)


async def test_a_restored_backup_is_migrated_to_this_release(
    database: TestDatabase, tmp_path: Path, empty: TestDatabase
) -> None:
    """Nothing to do for a backup of this release, roles included: `migrate` runs once more without a change."""
    file = await backed_up(database, tmp_path)
    assert (await run(empty, "restore", str(file))).returncode == 0
    before = snapshot(empty)
    await migrate(empty.settings())
    assert snapshot(empty) == before
