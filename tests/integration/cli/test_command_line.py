"""The command line, as processes of their own: what an operator types, and what it changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from service.cli.demo import SIP_PASSWORD
from tests.support.command_line import Done, command, environment, in_this_process
from tests.support.database import OWNER, PASSWORD, TestDatabase
from tests.support.server import Start

Run = Callable[..., Done]


@pytest.fixture
def run(database: TestDatabase) -> Run:
    """Runs a command on this test's database."""
    return lambda *arguments, given="", **values: command(environment(database, **values), *arguments, given=given)


def well(done: Done) -> str:
    """The output of a command that did what it was asked to."""
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


async def test_a_user_is_made_logs_in_changes_password_and_is_deactivated(
    run: Run, database: TestDatabase, start: Start
) -> None:
    def commands(*several: tuple[tuple[str, ...], str]) -> list[str]:
        return [well(run(*arguments, given=given)) for arguments, given in several]

    server = await start(database.settings())
    created = ("user", "create", "Zoë", "--type", "admin", "--email", "zoe@example.com", "--last-name", "Last")
    told = await asyncio.to_thread(commands, (created, "first password\n"))
    assert told == ["Created user Zoë with user_id 1799.\n"]
    headers = await server.login("zoë", "first password")
    assert (await server.client.get("/user/1799", headers=headers)).status == 200

    await asyncio.to_thread(commands, (("user", "passwd", "ZOË"), "second password\n"))
    for password, status in (("first password", 401), ("second password", 200)):
        answer = await server.client.post("/api/v1/login", json={"user": "Zoë", "password": password})
        assert answer.status == status

    await asyncio.to_thread(commands, (("user", "deactivate", "admin"), ""))  # there is another one now
    await asyncio.to_thread(commands, (("user", "activate", "admin"), ""))
    await asyncio.to_thread(commands, (("user", "deactivate", "Zoë"), ""))
    assert (await server.client.get("/api/v1/me", headers=headers)).status == 401
    (listed,) = await asyncio.to_thread(commands, (("user", "list"), ""))
    line = next(line for line in listed.splitlines() if "Zoë" in line)
    assert line.split()[0] == "1799"
    assert line.split()[2:] == ["Zoë", "admin", "no", "zoe@example.com", "-"]

    await asyncio.to_thread(commands, (("user", "activate", "Zoë"), ""))
    await server.login("Zoë", "second password")


def test_a_user_is_bound_to_networks_let_go_again_and_removed(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> str:
        return well(in_this_process(monkeypatch, capsys, environment(database), "user", *arguments))

    async def row() -> list[object]:
        return [row["auth_ip"] for row in await database.rows("select auth_ip from users where user_id = 1795")]

    assert told("auth-ip", "DNhai", "192.0.2.0/24", "::1") == "Allowed logins of dnhai from 192.0.2.0/24, ::1.\n"
    assert asyncio.run(row()) == [["192.0.2.0/24", "::1"]]
    assert told("auth-ip", "dnhai") == "Allowed logins of dnhai from any address.\n"
    assert asyncio.run(row()) == [[]]
    assert told("delete", "dnhai") == "Deleted user dnhai.\n"
    assert asyncio.run(row()) == []


def test_an_extension_is_made_given_changed_and_removed(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(*arguments: str, given: bytes = b"") -> Done:
        return in_this_process(monkeypatch, capsys, environment(database), *arguments, given=given)

    async def row(extension: str = "20001") -> tuple[object, ...]:
        rows = await database.rows(
            "select call_server, profile, enabled, user_id, secret from extensions where extension = $1", extension
        )
        return tuple(rows[0]) if rows else ()

    def now() -> tuple[object, ...]:
        return asyncio.run(row())

    well(run("extension", "create", "20001", "--profile", "sip", "--password-stdin", given=b"se;cr\"et'\\$1\n"))
    assert now() == ("main", "sip", True, None, "se;cr\"et'\\$1")
    well(run("extension", "assign", "20001", "NoPhone"))
    assert now()[3] == 1797
    well(run("extension", "rotate", "20001"))
    rotated = now()[4]
    assert len(str(rotated)) == 32
    well(run("extension", "disable", "20001"))
    assert now()[2] is False
    well(run("extension", "enable", "20001"))
    assert now()[2] is True
    well(run("extension", "unassign", "20001"))
    assert (now()[3], now()[4] == rotated) == (None, False)
    listed = well(run("extension", "list"))
    assert ["20001", "main", "sip", "yes", "-"] in [line.split() for line in listed.splitlines()]
    assert SIP_PASSWORD not in listed
    well(run("extension", "delete", "20001"))
    assert now() == ()


async def test_a_token_is_issued_listed_and_revoked(run: Run, database: TestDatabase, start: Start) -> None:
    server = await start(database.settings())
    told = await asyncio.to_thread(run, "token", "issue", "dnhai", "--days", "1", "--label", "monitoring")
    token, _, line = well(told).splitlines()
    headers = {"X-Auth-Token": token, "X-User-Id": line.split()[0]}
    assert (await server.registration(headers=headers)).status == 200

    listed = well(await asyncio.to_thread(run, "token", "list"))
    (row,) = [line for line in listed.splitlines() if "monitoring" in line]
    assert token not in listed
    assert "Revoked 1 token." in well(await asyncio.to_thread(run, "token", "revoke", "--hash", row.split()[0]))
    assert (await server.registration(headers=headers)).status == 401

    one, other = await server.headers_of(), await server.headers_of()
    assert well(await asyncio.to_thread(run, "token", "revoke", "--user", "DNHAI")) == "Revoked 2 tokens of dnhai.\n"
    assert [(await server.registration(headers=which)).status for which in (one, other)] == [401, 401]


def test_programs_read_json(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: str) -> Any:
        return json.loads(well(in_this_process(monkeypatch, capsys, environment(database), *arguments)))

    shown = told("user", "show", "DNhai", "--json")
    assert {name: shown[name] for name in ("user_id", "name", "active", "extension", "auth_ip", "tokens")} == {
        "user_id": 1795, "name": "dnhai", "active": True, "extension": "12342", "auth_ip": [], "tokens": 0,
    }  # fmt: skip
    assert not [name for name in shown if "passw" in name]
    assert [row["name"] for row in told("--json", "user", "list")][:2] == ["admin", "dnhai"]
    assert len(told("user", "--json", "list")) == 5
    assert {row["extension"] for row in told("extension", "list", "--json")} == {"12342", "12343"}
    assert told("user", "deactivate", "agent2", "--json")["active"] is False
    issued = told("token", "issue", "dnhai", "--json")
    assert len(issued["token"]) == 43
    assert "T" in issued["expires"]
    assert told("token", "revoke", "--user", "dnhai", "--json")["tokens"] == 1
    failed = in_this_process(monkeypatch, capsys, environment(database), "user", "show", "nobody", "--json")
    assert (failed.returncode, failed.stdout) == (1, "")
    assert json.loads(failed.stderr) == {"error": "there is no user 'nobody'"}


def test_the_demo_data_loads_into_an_empty_database_and_again_but_not_beside_others(template: TestDatabase) -> None:
    template.server.create_database("demo", OWNER, PASSWORD)
    try:
        variables = environment(TestDatabase(template.server, "demo"))
        assert command(variables, "migrate").returncode == 0
        first = well(command(variables, "demo"))
        assert "dnhai     demo-agent-password" in first
        assert well(command(variables, "demo")) == first
        assert template.server.sql("select distinct substr(passwd, 1, 7) from users", "demo").split() == ["$2b$12$"]
        template.server.sql("delete from users where user_id in (1, 1795)", "demo")
        done = command(variables, "demo")
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == "error: the database holds other users: the demo data is for an empty one\n"
    finally:
        template.server.sql("drop database demo with (force)")
