"""`check` as an operator runs it on an imported call server: what PostgreSQL needs and does not, and the exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command_line import Done, environment, in_this_process
from tests.support.database import TestDatabase
from tests.support.existing.pbx import ExistingPbx

Checked = Callable[..., tuple[int, list[dict[str, Any]]]]
STORE = """
with made as (
    insert into extensions (extension, call_server) values ($1, 'pbx') on conflict do nothing
)
insert into phones (call_server, endpoint, extension, auth_username, secret) values ('pbx', $2, $1, $3, $4)
"""


class Operator:
    """Runs commands with one call server, `pbx`, which is imported and has no role in PostgreSQL."""

    def __init__(
        self, database: TestDatabase, patch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], pbx: ExistingPbx
    ) -> None:
        self.pbx = pbx
        self._database = database
        self._patch = patch
        self._capsys = capsys
        config = pbx.asterisk.config
        self._server = {
            "HOST": "127.0.0.1",
            "AMI_HOST": "127.0.0.1",
            "AMI_PORT": str(config.ami_port),
            "MONITOR_SECRET": config.monitor_secret,
            "PRESENCE_SECRET": config.presence_secret,
            "CREDENTIALS": "imported",
            "CREDENTIALS_SECRET": pbx.shape.accounts.credentials,
        }

    def __call__(self, *arguments: str, given: str = "", **values: str) -> Done:
        server = {f"CALL_SERVERS__PBX__{name}": value for name, value in {**self._server, **values}.items()}
        variables = {
            name: value
            for name, value in environment(self._database, **server).items()
            if not name.startswith("CONNECTOR_CALL_SERVERS__MAIN__")
        }
        done = in_this_process(self._patch, self._capsys, variables, *arguments, given=f"{given}\n".encode())
        for name in ("MONITOR_SECRET", "PRESENCE_SECRET", "CREDENTIALS_SECRET"):
            assert self._server[name] not in done.stdout + done.stderr
        return done


@pytest.fixture
def command(
    vanilla_like: ExistingPbx,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Operator:
    """Runs commands with the PBX whose files were written by hand."""
    return Operator(database, monkeypatch, capsys, vanilla_like)


@pytest.fixture
def checked(command: Operator) -> Checked:
    """Runs `check`; returns its exit code and its rows."""

    def run(*arguments: str, **values: str) -> tuple[int, list[dict[str, Any]]]:
        done = command("--json", "check", *arguments, **values)
        return done.returncode, json.loads(done.stdout)

    return run


def failing(rows: list[dict[str, Any]]) -> list[str]:
    return [row["what"] for row in rows if row["verdict"] in ("MISSING", "TOO MUCH")]


async def store(database: TestDatabase, pbx: ExistingPbx, command: Operator) -> None:
    """What `migrate` and an import store; without the demo, which belongs to another call server."""
    await database.execute("delete from extensions")
    assert (await asyncio.to_thread(command, "migrate")).returncode == 0
    for phone in pbx.shape.phones:
        await database.execute(STORE, phone.number, phone.endpoint, phone.auth_username, phone.secret)
    await database.execute("insert into extensions (extension, call_server) values ('1100', 'pbx')")


async def test_an_imported_call_server_is_green_without_role_and_views(
    checked: Checked, command: Operator, database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    code, rows = await asyncio.to_thread(checked, "--expect-endpoints", str(vanilla_like.shape.endpoints))
    assert (code, failing(rows)) == (0, [])
    whats = {row["what"] for row in rows}
    assert "call server pbx owns its endpoints, and reads nothing here" in whats
    assert "knows its 5 extensions (devices: 4 Unavailable)" in whats
    code, rows = await asyncio.to_thread(checked, "--all")
    assert {"1005 (PJSIP/alice) is Unavailable", "1009 is Unavailable"} <= {row["what"] for row in rows}
    code, rows = await asyncio.to_thread(checked, "--expect-endpoints", "pbx=1008")
    assert code == 1
    assert any(what.endswith("are lost") for what in failing(rows))


async def test_a_phone_that_the_last_import_did_not_find_is_named(
    checked: Checked, command: Operator, database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    await database.execute("update phones set endpoint = 'gone', missing_since = now() where endpoint = 'alice'")
    code, rows = await asyncio.to_thread(checked)
    assert code == 1
    assert "the last import did not find 1 endpoints: gone" in failing(rows)


async def test_settings_and_database_must_agree_who_owns_the_endpoints(
    checked: Checked, command: Operator, database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    await database.execute("update call_servers set credentials = 'managed' where name = 'pbx'")
    code, rows = await asyncio.to_thread(checked)
    assert (code, failing(rows)) == (1, ["call server pbx is imported in the settings and managed in the database"])


def test_a_number_that_is_none_is_refused(command: Operator) -> None:
    done = command("check", "--expect-endpoints", "many")
    assert done.returncode == 1
    assert "a number is needed" in done.stderr


async def test_the_environment_names_accepted_modules_and_no_others(
    checked: Checked, command: Operator, database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    code, rows = await asyncio.to_thread(lambda: checked(ACCEPTED_MODULES='["func_env","func_curl"]'))
    assert (code, failing(rows)) == (0, [])
    done = await asyncio.to_thread(lambda: command("check", ACCEPTED_MODULES='["func_strings"]'))
    assert done.returncode == 2
    assert "CONNECTOR_CALL_SERVERS__PBX__ACCEPTED_MODULES" in done.stderr


@pytest.mark.parametrize("shape", ["freepbx_like", "mikopbx_like", "vanilla_like", "chan_sip_like"])
def test_after_an_import_it_is_green_on_each_kind_and_names_what_is_skipped(
    request: pytest.FixtureRequest,
    shape: str,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pbx: ExistingPbx = request.getfixturevalue(shape)
    operate = Operator(database, monkeypatch, capsys, pbx)
    asyncio.run(database.execute("delete from extensions"))
    secret = pbx.shape.accounts.credentials
    for arguments in (
        ["migrate"],
        ["extension", "import", "--call-server", "pbx", "--from-ami", "credentials", "--apply"],
    ):
        done = operate(*arguments, given=secret)
        assert done.returncode == 0, done.stderr
    exposing = ["func_config", "func_curl", "func_env", "func_realtime", "func_shell", "func_sorcery"]
    accepted = json.dumps(exposing if shape == "freepbx_like" else [])
    expected = str(pbx.shape.endpoints)
    done = operate("--json", "check", "--expect-endpoints", expected, ACCEPTED_MODULES=accepted)
    assert (done.returncode, failing(json.loads(done.stdout))) == (0, [])
    missed = [row["what"] for row in json.loads(done.stdout) if "not stored" in row["what"]]
    assert missed == []
