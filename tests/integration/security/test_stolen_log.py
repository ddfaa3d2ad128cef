"""What stands in the service's own log, in what its commands print, and in its processes' arguments: at level debug."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from local.child_process import child_pids
from service.cli.demo import ADMIN_TOKEN, SIP_PASSWORD
from tests.support.command_line import Done, command, environment
from tests.support.database import PASSWORD, TestDatabase
from tests.support.imported import PBX
from tests.support.served import served
from tests.support.server import ADMIN, AGENT_UID, REGISTRATION
from tests.support.worked_cluster import KEY

CSV = "extension,endpoint,secret,name\n1001,1001,secret-of-1001-in-a-file,Ada\n"
BROKEN_CSV = f"{CSV}1002,1002,secret-of-1002 with\ttab,Bob\n"
SECRETS = {
    "master key": KEY.key.hex(),
    "derived key": KEY.derive("main").hex(),
    "database password": "service-database-password",
    "AMI secret": "AMI-secret-of-monitor",
    "signing secret": "signing-secret-of-at-least-32-bytes",
    "given SIP password": "given-SIP-password-of-901",
    "imported SIP password": "secret-of-1001-in-a-file",
    "SIP password in a broken row": "secret-of-1002",
    "password of a user": "first-password-of-Zoe",
    "new password of a user": "second-password-of-Zoe",
    "SIP password": SIP_PASSWORD,
    "token": ADMIN_TOKEN,
}
"""Of the roles only the service has a password that no other text contains."""


@dataclass
class Printed:
    """What all of them wrote, and the arguments that other users of the machine saw."""

    logs: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def leaks(self) -> list[str]:
        text = "\n".join([*self.logs, *self.arguments])
        return [name for name, secret in SECRETS.items() if secret in text]


@pytest.fixture
def variables(database: TestDatabase) -> Iterator[dict[str, str]]:
    """Settings with every kind of secret, at level debug."""
    sql = database.server.sql
    sql(f"alter role connector_service password '{SECRETS['database password']}'")
    yield environment(
        database,
        LOG_LEVEL="debug",
        DATABASE_PASSWORD=SECRETS["database password"],
        SECRETS_KEY=SECRETS["master key"],
        JWT_SECRET=SECRETS["signing secret"],
        CALL_SERVERS__MAIN__MONITOR_SECRET=SECRETS["AMI secret"],
        **PBX,
    )
    sql(f"alter role connector_service password '{PASSWORD}'")


def run(printed: Printed, variables: dict[str, str], line: str, given: str = "", code: int = 0) -> Done:
    done = command(variables, *line.split(), given=given)
    assert done.returncode == code, (line, done.stderr)
    assert "Traceback" not in done.stderr
    printed.logs += [done.stdout, done.stderr]
    return done


def test_no_command_prints_a_secret_that_it_was_given(variables: dict[str, str]) -> None:
    printed = Printed()
    steps = [
        ("migrate", "", 0),
        ("check", "", 1),
        ("user create Zoe", f"{SECRETS['password of a user']}\n", 0),
        ("user create Zoe", f"{SECRETS['password of a user']}\n", 1),
        ("user passwd Zoe", f"{SECRETS['new password of a user']}\n", 0),
        ("extension create 901 --call-server main --password-stdin", f"{SECRETS['given SIP password']}\n", 0),
        ("extension create 901 --call-server main --password-stdin", f"{SECRETS['given SIP password']}\n", 1),
        ("extension assign 901 Zoe", "", 0),
        ("extension list --json", "", 0),
        ("extension import --call-server pbx --from-csv -", BROKEN_CSV, 1),
        ("extension import --call-server pbx --from-csv -", CSV, 0),
        ("extension import --call-server pbx --from-csv - --apply --json", CSV, 0),
        ("user list --json", "", 0),
        ("token list", "", 0),
        ("status", "", 1),
        ("user deactivate Zoe", "", 0),
        ("extension delete 901", "", 0),
    ]
    for line, given, code in steps:
        run(printed, variables, line, given, code)
    assert printed.leaks() == []


def test_a_token_is_printed_once_by_the_command_that_issues_it(variables: dict[str, str]) -> None:
    done = run(Printed(), variables, "token issue dnhai --days 1")
    token = done.stdout.splitlines()[0]
    assert len(token) == 43
    assert token not in done.stderr + run(Printed(), variables, "token list --json").stdout


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CONNECTOR_SECRETS_KEY", SECRETS["master key"][:-1]),
        ("CONNECTOR_SECRETS_KEY", SECRETS["master key"] + "zz"),
        ("CONNECTOR_JWT_SECRET", "too-short-a-secret"),
        ("CONNECTOR_CALL_SERVERS", '{"main": {"monitor_secret": "too-short-a-secret", "hots": 1}}'),
        ("CONNECTOR_DATABASE_URL", f"postgresql://connector_service:{SECRETS['database password']}@[h/connector"),
        ("CONNECTOR_DATABASE_PASSWORD", "too-short-a-secret"),
        ("CONNECTOR_HTTP_PORT", "too-short-a-secret"),
        ("CONNECTOR_CORS_ORIGINS", '["too-short-a-secret"]'),
    ],
    ids=lambda value: value if value.startswith("CONNECTOR_") else "",
)
def test_a_mistake_in_the_settings_is_told_without_the_value(variables: dict[str, str], name: str, value: str) -> None:
    """A start that fails, of `serve` and of `migrate`, both of which read all settings."""
    printed = Printed()
    given = variables | {name: value, "CONNECTOR_DATABASE_START_DEADLINE": "1"}
    for line in ("serve", "migrate"):
        if (line, name) != ("migrate", "CONNECTOR_DATABASE_PASSWORD"):  # which would set it
            run(printed, given, line, code=2)
    assert printed.leaks() == []
    assert "too-short-a-secret" not in "".join(printed.logs)
    assert value not in "".join(printed.logs)


def arguments_of(*pids: int) -> list[str]:
    """As every user of the machine may read them."""
    return [Path(f"/proc/{pid}/cmdline").read_text() for pid in pids]


@pytest.fixture
async def served_log(database: TestDatabase, variables: dict[str, str], tmp_path: Path) -> Printed:
    """Of a service with two workers at level debug that answered, and lost Asterisk and PostgreSQL."""
    values = {name.removeprefix("CONNECTOR_"): value for name, value in variables.items()}
    printed = Printed()
    async with served(database, tmp_path, **values, WORKERS="2") as service:
        await service.has_up(2)
        credentials = [f"{name}: {value}" for name, value in ADMIN.items()]
        answer = await service.get(f"{REGISTRATION}?id={AGENT_UID}", *credentials)
        assert answer.status == 200
        await service.get(f"{REGISTRATION}?id={AGENT_UID}&token={ADMIN_TOKEN}", *credentials)
        await service.get(f"/user/1795?X-Auth-Token={ADMIN_TOKEN}", credentials[0])
        await service.ask(f"GET /api/v1/me HTTP/1.1\r\nX-Auth-Token {ADMIN_TOKEN}\r\n\r\n".encode())
        printed.arguments += arguments_of(service.process.pid, *child_pids(service.process.pid))
        await asyncio.to_thread(
            database.server.sql,
            "select pg_terminate_backend(pid) from pg_stat_activity where usename = 'connector_service'",
        )
        await service.answers()
        os.kill(service.process.pid, 15)
        assert await service.ended() == 0
        printed.logs.append(service.log)
    return printed


async def test_neither_the_log_at_level_debug_nor_the_arguments_hold_a_secret(served_log: Printed) -> None:
    (log,) = served_log.logs
    assert '"level": "debug"' in log
    assert "ami_link_down" in log
    assert len(served_log.arguments) >= 3
    assert served_log.leaks() == []
