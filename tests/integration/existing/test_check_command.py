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


@pytest.fixture
def command(
    vanilla_like: ExistingPbx,
    database: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Done]:
    """Runs a command with one call server, `pbx`, which is imported and has no role in PostgreSQL."""
    config = vanilla_like.asterisk.config
    server = {
        "HOST": "127.0.0.1",
        "AMI_HOST": "127.0.0.1",
        "AMI_PORT": str(config.ami_port),
        "MONITOR_SECRET": config.monitor_secret,
        "PRESENCE_SECRET": config.presence_secret,
        "CREDENTIALS": "imported",
        "CREDENTIALS_SECRET": vanilla_like.shape.accounts.credentials,
    }

    def run(*arguments: str, **values: str) -> Done:
        given = {f"CALL_SERVERS__PBX__{name}": value for name, value in {**server, **values}.items()}
        variables = {
            name: value
            for name, value in environment(database, **given).items()
            if not name.startswith("CONNECTOR_CALL_SERVERS__MAIN__")
        }
        done = in_this_process(monkeypatch, capsys, variables, *arguments)
        for secret in (config.monitor_secret, config.presence_secret, vanilla_like.shape.accounts.credentials):
            assert secret not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def checked(command: Callable[..., Done]) -> Checked:
    """Runs `check`; returns its exit code and its rows."""

    def run(*arguments: str, **values: str) -> tuple[int, list[dict[str, Any]]]:
        done = command("--json", "check", *arguments, **values)
        return done.returncode, json.loads(done.stdout)

    return run


def failing(rows: list[dict[str, Any]]) -> list[str]:
    return [row["what"] for row in rows if row["verdict"] in ("MISSING", "TOO MUCH")]


async def store(database: TestDatabase, pbx: ExistingPbx, command: Callable[..., Done]) -> None:
    """What `migrate` and an import store; without the demo, which belongs to another call server."""
    await database.execute("delete from extensions")
    assert (await asyncio.to_thread(command, "migrate")).returncode == 0
    for phone in pbx.shape.phones:
        await database.execute(STORE, phone.number, phone.endpoint, phone.auth_username, phone.secret)
    await database.execute("insert into extensions (extension, call_server) values ('1100', 'pbx')")


async def test_an_imported_call_server_is_green_without_role_and_views(
    checked: Checked, command: Callable[..., Done], database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    code, rows = await asyncio.to_thread(checked, "--expect-endpoints", str(vanilla_like.shape.endpoints))
    assert (code, failing(rows)) == (0, [])
    whats = {row["what"] for row in rows}
    assert "call server pbx owns its endpoints, and reads nothing here" in whats
    assert "knows its 5 extensions (4 Unavailable)" in whats
    code, rows = await asyncio.to_thread(checked, "--all")
    assert {"1005 (PJSIP/alice) is Unavailable", "1009 is Unavailable"} <= {row["what"] for row in rows}
    code, rows = await asyncio.to_thread(checked, "--expect-endpoints", "pbx=1008")
    assert code == 1
    assert any(what.endswith("are lost") for what in failing(rows))


async def test_a_phone_that_the_last_import_did_not_find_is_named(
    checked: Checked, command: Callable[..., Done], database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    await database.execute("update phones set endpoint = 'gone', missing_since = now() where endpoint = 'alice'")
    code, rows = await asyncio.to_thread(checked)
    assert code == 1
    assert "the last import did not find 1 endpoints: gone" in failing(rows)


async def test_settings_and_database_must_agree_who_owns_the_endpoints(
    checked: Checked, command: Callable[..., Done], database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    await database.execute("update call_servers set credentials = 'managed' where name = 'pbx'")
    code, rows = await asyncio.to_thread(checked)
    assert (code, failing(rows)) == (1, ["call server pbx is imported in the settings and managed in the database"])


def test_a_number_that_is_none_is_refused(command: Callable[..., Done]) -> None:
    done = command("check", "--expect-endpoints", "many")
    assert done.returncode == 1
    assert "a number is needed" in done.stderr


async def test_the_environment_names_accepted_modules_and_no_others(
    checked: Checked, command: Callable[..., Done], database: TestDatabase, vanilla_like: ExistingPbx
) -> None:
    await store(database, vanilla_like, command)
    code, rows = await asyncio.to_thread(lambda: checked(ACCEPTED_MODULES='["func_env","func_curl"]'))
    assert (code, failing(rows)) == (0, [])
    done = await asyncio.to_thread(lambda: command("check", ACCEPTED_MODULES='["func_strings"]'))
    assert done.returncode == 2
    assert "CONNECTOR_CALL_SERVERS__PBX__ACCEPTED_MODULES" in done.stderr
