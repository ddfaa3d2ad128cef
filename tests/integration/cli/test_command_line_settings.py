"""Mistakes in settings and usage: a line for each, no traceback, no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from service.cli import main
from tests.support.command_line import command, environment, in_this_process
from tests.support.database import TestDatabase

SECRET = "hunter2-do-not-print"


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"HTTP_PORT": "99999"}, ["CONNECTOR_HTTP_PORT"]),
        ({"HTTP_PORT": "x", "DATABASE_POOL": "0"}, ["CONNECTOR_HTTP_PORT", "CONNECTOR_DATABASE_POOL"]),
        ({"HTTP_PROT": SECRET}, ["CONNECTOR_HTTP_PROT: there is no such setting"]),
        ({"CALL_SERVERS__MAIN__SECRET": SECRET}, ["CONNECTOR_CALL_SERVERS__MAIN__SECRET"]),
        ({"CALL_SERVERS__MAIN__MONITOR_SECRET": ""}, ["CONNECTOR_CALL_SERVERS__MAIN__MONITOR_SECRET"]),
        ({"CALL_SERVERS": SECRET}, ["call_servers"]),
        ({f"CALL_SERVERS__9__{name}": "x" for name in ("HOST", "AMI_HOST", "MONITOR_SECRET")},
         ["CONNECTOR_CALL_SERVERS__9"]),
        ({"DATABASE_URL": f"postgresql://x@y/z?password={SECRET}"}, ["database_url holds a password"]),
        ({"DATABASE_URL": "mysql://x@y/z"}, ["database_url must look like postgresql://user@host:port/database"]),
        ({"DATABASE_URL": f"postgresql://x:{SECRET}@y/z"}, ["database_url holds a password"]),
        ({"DATABASE_URL": "postgresql://x@y:port/z"}, ["CONNECTOR_DATABASE_URL: a host or its port cannot be one"]),
        ({"DATABASE_URL": "postgresql://x@y,z/d?target_session_attrs=any"}, ["must be primary or read-write"]),
        ({"DATABASE_PASSWORD_FILE": "/nowhere"}, ["both database_password and database_password_file are given"]),
        ({"DATABASE_PASSWORD": "", "DATABASE_PASSWORD_FILE": "/nowhere"}, ["/nowhere cannot be read"]),
        ({"TRUSTED_PROXIES": '["10.0.0.1/8"]'}, ["CONNECTOR_TRUSTED_PROXIES"]),
        ({"CALL_SERVERS__MAIN__HOST": f"wss://{SECRET}/ws"}, ["SERVERS__MAIN__HOST: is no host: give a name"]),
        ({"CALL_SERVERS__MAIN__AMI_HOST": f"{SECRET}:5038", "HTTP_HOST": "*", "CORS_ORIGINS": f'["https://{SECRET}/"]',
          "CALL_SERVERS__MAIN__WEBSOCKET_PATH": f"/{SECRET}#"},
         ["MAIN__AMI_HOST: is no host", "CONNECTOR_HTTP_HOST: is no host", "CONNECTOR_CORS_ORIGINS__0: is no origin",
          "MAIN__WEBSOCKET_PATH: is no path"]),
        ({"LOG_LEVEL": "loud"}, ["CONNECTOR_LOG_LEVEL"]),
    ],
)  # fmt: skip
def test_a_mistake_is_named_without_the_value(
    template: TestDatabase,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    values: dict[str, str],
    told: list[str],
) -> None:
    variables = environment(template, **{"OWNER_DATABASE_PASSWORD": SECRET, **values})
    done = in_this_process(monkeypatch, capsys, variables, "serve")
    first, *lines = done.stderr.splitlines()
    assert (done.returncode, done.stdout, first) == (2, "", "error: the settings cannot be used:")
    assert len(lines) == len(told)
    assert all(any(what in line for line in lines) for what in told), lines
    assert SECRET not in done.stderr


def test_secrets_may_come_from_files(template: TestDatabase, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("test-password\n")
    variables = environment(template, DATABASE_PASSWORD="", DATABASE_PASSWORD_FILE=str(tmp_path / "secret"))
    done = command(variables, "user", "list")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments", [["nonsense"], ["user"], ["user", "create"], ["token", "revoke"], ["user", "create", "x", "y"]]
)
def test_wrong_usage_is_told_with_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("usage: python -m service")


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_needs_no_settings(arguments: list[str]) -> None:
    done = command({}, *arguments)
    assert (done.returncode, done.stderr) == (0, "")
