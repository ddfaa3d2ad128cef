"""`check` on who owns the endpoints of a call server, by the settings and by PostgreSQL."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable

import pytest

from tests.support.command_line import environment, in_this_process
from tests.support.database import TestDatabase
from tests.support.imported import PBX, import_alice

Check = Callable[..., dict[str, tuple[str, str]]]
MIGRATE = "run `python -m service migrate` as the owner"
THEIRS = "call server pbx owns its endpoints, and reads nothing here"


@pytest.fixture
def check(database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Check:
    """Runs `check`: what it says of PostgreSQL, with verdict and remedy."""

    def checked(*before: str, **values: str) -> dict[str, tuple[str, str]]:
        variables = environment(database, **{**PBX, **values})
        for command in before:
            assert in_this_process(monkeypatch, capsys, variables, command).returncode == 0
        rows = json.loads(in_this_process(monkeypatch, capsys, variables, "--json", "check").stdout)
        return {row["what"]: (row["verdict"], row["how to mend it"]) for row in rows if row["part"] == "postgresql"}

    return checked


def test_an_imported_call_server_needs_no_role(check: Check) -> None:
    told = check("migrate")
    assert told[THEIRS] == ("ok", "")
    assert not [what for what in told if "call server pbx reads as role" in what]
    assert {verdict for what, (verdict, _) in told.items() if "demo" not in what} == {"ok"}


def test_endpoints_that_asterisk_accepts_and_this_service_does_not_are_told(
    check: Check, database: TestDatabase
) -> None:
    """No failure: it may be what the operator wants. The phone that Asterisk no longer has is left out."""
    asyncio.run(import_alice(database))
    accepts = "the Asterisk of pbx accepts 2 endpoints of disabled extensions or inactive people: alice, alice.desk"
    changes = {
        "update extensions set enabled = {} where extension in ('1005', '12342')": ("false", "true"),
        "update users set active = {} where user_id in (1797, 1795)": ("false", "true"),
    }
    for change, (lost, back) in changes.items():
        asyncio.run(database.execute(change.format(lost)))
        assert check()[accepts] == ("optional", "change their SIP passwords there, if they are to end")
        asyncio.run(database.execute(change.format(back)))
        assert accepts not in check()
    asyncio.run(database.execute("update extensions set user_id = null where extension = '1005'"))
    assert accepts not in check()


def test_settings_that_migrate_has_not_seen_are_told(check: Check, database: TestDatabase) -> None:
    asyncio.run(database.execute("insert into call_servers (name) values ('pbx')"))
    differs = "call server pbx is imported in the settings and managed in the database"
    assert check()[differs] == ("MISSING", MIGRATE)
    assert check("migrate")[THEIRS] == ("ok", "")


def test_a_transport_of_sip_that_migrate_has_not_seen_is_told(check: Check) -> None:
    """Asterisk would go on to accept calls without SRTP."""
    check("migrate")
    differs = "SIP of call server main goes over tls in the settings, udp in the database"
    assert check(CALL_SERVERS__MAIN__SIP_TRANSPORT="tls")[differs] == ("MISSING", MIGRATE)
    assert differs not in check("migrate", CALL_SERVERS__MAIN__SIP_TRANSPORT="tls")


def test_a_managed_call_server_without_a_role_is_told_both_ways_out(check: Check) -> None:
    told = check("migrate", CALL_SERVERS__PBX__CREDENTIALS="managed")
    verdict, remedy = told["call server pbx reads as role none"]
    prefix = "CONNECTOR_CALL_SERVERS__PBX__"
    assert verdict == "MISSING"
    assert remedy == (
        f"set {prefix}DATABASE_ROLE and run migrate; or set {prefix}CREDENTIALS=imported "
        "if Asterisk keeps its own endpoints"
    )
