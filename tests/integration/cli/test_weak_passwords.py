"""SIP passwords that are easily guessed: `check` and an import name their phones, never the passwords."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from service.db.diagnostics import check
from service.db.pool import Database
from service.domain.models import Finding, Verdict
from tests.integration.db.test_secret_life import sealed
from tests.integration.secrets.keys import KEY, settings_with
from tests.support.command_line import Done, environment, in_this_process
from tests.support.database import TestDatabase
from tests.support.imported import PBX

CSV = (
    "extension,endpoint,secret,name\n"
    "1001,1001,1001,Ada\n"
    "1002,1002,9fK3mQ7xP0aZ-kW,Bea\n"
    "1003,1003.desk,Cyrano-de-bergerac,Cyrano de Bergerac\n"
)


@pytest.fixture
def run(
    database: TestDatabase, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Done]:
    def run(*arguments: str, given: bytes = b"") -> Done:
        return in_this_process(monkeypatch, capsys, environment(database, **PBX), *arguments, given=given)

    return run


async def findings(database: TestDatabase, **settings: Any) -> list[Finding]:
    made = database.settings(**settings)
    found = [finding async for finding in check(made, Database.of(made, any_schema=True))]
    return [finding for finding in found if "easily guessed" in finding.what]


@pytest.mark.parametrize("at_rest", ["plain", "sealed"])
async def test_check_names_the_phones_and_does_not_fail(database: TestDatabase, at_rest: str) -> None:
    assert await findings(database) == [], "the demo's passwords have enough that nobody guesses"
    await database.execute("update phones set secret = 'password12342' where endpoint = '12342'")
    if at_rest == "sealed":
        await sealed(database)
    (finding,) = await findings(database, **(settings_with(KEY) if at_rest == "sealed" else {}))
    assert (finding.verdict, finding.fails) == (Verdict.WEAK, False)
    named = "12342 (little more than its number or a name and common words)"
    assert finding.what == f"1 SIP passwords of call server main are easily guessed: {named}"
    assert "password12342" not in str(finding)


async def test_check_names_a_bounded_number(database: TestDatabase) -> None:
    await database.execute(
        "insert into extensions (extension, secret, call_server) "
        "select 'e' || n, 'e' || n, 'main' from generate_series(1, 500) as n"
    )
    (finding,) = await findings(database)
    assert finding.what.startswith("500 SIP passwords of call server main are easily guessed: e1 (fewer than 12 ")
    assert finding.what.count("(fewer") == 20


def test_an_import_takes_them_and_names_them(run: Callable[..., Done], database: TestDatabase) -> None:
    asyncio.run(database.execute("insert into call_servers (name, credentials) values ('pbx', 'imported')"))
    command = ("extension", "import", "--call-server", "pbx", "--from-csv", "-")
    plan: Any = json.loads(run("--json", *command, given=CSV.encode()).stdout)
    assert plan["weak_passwords"] == [
        {"extension": "1001", "endpoint": "1001", "detail": "fewer than 12 characters"},
        {"extension": "1003", "endpoint": "1003.desk", "detail": "little more than its number or a name"},
    ]
    assert plan["counts"]["weak_passwords"] == 2
    applied = run(*command, "--apply", given=CSV.encode()).stdout
    assert "weak passwords: 2" in applied
    assert "fewer than 12 characters" in applied
    assert not [secret for secret in ("9fK3mQ7xP0aZ-kW", "Cyrano-de-bergerac") if secret in applied]
    stored = asyncio.run(database.rows("select secret from phones where call_server = 'pbx' order by endpoint"))
    assert [row["secret"] for row in stored] == ["1001", "9fK3mQ7xP0aZ-kW", "Cyrano-de-bergerac"]
