"""`check` as an operator runs it: what is shown, and the exit code."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.command_line import Done, environment, in_this_process
from tests.support.pbx import Pbx

Checked = Callable[..., tuple[int, list[dict[str, Any]]]]


@pytest.fixture
def checked(pbx: Pbx, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Checked:
    """Runs `check`; answers its exit code and its rows."""
    config = pbx.asterisk.config
    accounts = {
        "CALL_SERVERS__MAIN__AMI_PORT": str(config.ami_port),
        "CALL_SERVERS__MAIN__MONITOR_SECRET": config.monitor_secret,
        "CALL_SERVERS__MAIN__PRESENCE_SECRET": config.presence_secret,
    }

    def run(*arguments: str, **values: str) -> tuple[int, list[dict[str, Any]]]:
        variables = environment(pbx.database, **{**accounts, **values})
        done: Done = in_this_process(monkeypatch, capsys, variables, "--json", "check", *arguments)
        for secret in (config.monitor_secret, config.presence_secret):
            assert secret not in done.stdout + done.stderr
        return done.returncode, json.loads(done.stdout)

    return run


def ill(rows: list[dict[str, Any]]) -> list[str]:
    """What is not well, but that the demo's people are there."""
    return [row["what"] for row in rows if row["verdict"] != "ok" and "demo" not in row["what"]]


def test_all_is_well_and_each_extension_is_shown_when_asked_for(checked: Checked) -> None:
    code, rows = checked()
    assert (code, ill(rows)) == (0, [])
    assert "knows its 2 extensions (devices: 2 Unavailable)" in [row["what"] for row in rows]
    code, rows = checked("--all")
    assert {"12342 is Unavailable", "12343 is Unavailable"} <= {row["what"] for row in rows}
    (unknown,) = ill(rows)
    assert (code, "which events" in unknown) == (0, True)


def test_a_secret_that_is_wrong_fails_it(checked: Checked) -> None:
    code, rows = checked(CALL_SERVERS__MAIN__PRESENCE_SECRET="wrong")
    assert (code, len(ill(rows))) == (1, 1)


async def test_a_call_server_that_the_settings_do_not_name_is_named(checked: Checked, pbx: Pbx) -> None:
    await pbx.database.execute("insert into call_servers (name) values ('west')")
    values = "('900', '9fK3mQ7xP0aZ', 'west')"
    await pbx.database.execute(f"insert into extensions (extension, secret, call_server) values {values}")  # noqa: S608
    code, rows = await asyncio.to_thread(checked)
    assert (code, ill(rows)) == (1, ["call server west, with 1 extensions, is not in the settings"])
    await pbx.database.execute("delete from extensions where call_server = 'west'")
    assert (await asyncio.to_thread(checked))[0] == 0


async def test_extensions_that_asterisk_does_not_see_are_shown_but_not_thousands(checked: Checked, pbx: Pbx) -> None:
    """They belong to a call server whose role this Asterisk does not have, so its views have none of them."""
    await pbx.database.execute("insert into call_servers (name, database_role) values ('main2', 'no_such_role')")
    numbers = "select n::text, 's', 'main2' from generate_series(1, 50) n"
    await pbx.database.execute(f"insert into extensions (extension, secret, call_server) {numbers}")
    names = ("HOST", "AMI_HOST", "AMI_PORT", "MONITOR_SECRET")
    config = pbx.asterisk.config
    values = ("pbx", "127.0.0.1", str(config.ami_port), config.monitor_secret)
    second = {f"CALL_SERVERS__MAIN2__{name}": value for name, value in zip(names, values, strict=True)}
    code, rows = await asyncio.to_thread(lambda: checked(**second))
    unknown = [what for what in ill(rows) if what.endswith("is not known")]
    assert (code, len(unknown)) == (1, 20)
    assert {"30 more like these", "there is no role no_such_role"} <= set(ill(rows))
    _, rows = await asyncio.to_thread(lambda: checked("--all", **second))
    assert sum(what.endswith("is not known") for what in ill(rows)) == 50
    await pbx.database.execute("delete from extensions where call_server = 'main2'")
