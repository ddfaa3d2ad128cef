"""`python -m service` as an operator runs it: a process of its own, settings from the environment."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from local.postgres_binaries import find_binaries
from service import logs
from service.cli import main
from tests.support.database import ASTERISK, OWNER, PASSWORD, SERVICE, TestDatabase

ROOT = Path(__file__).parents[2]
Process = subprocess.Popen[str]
Done = subprocess.CompletedProcess[str]


def environment(database: TestDatabase, **values: str) -> dict[str, str]:
    """The variables with which a command uses this database; `values` come without their prefix."""
    settings = {
        "DATABASE_URL": database.server.url(SERVICE, database.name),
        "DATABASE_PASSWORD": PASSWORD,
        "OWNER_DATABASE_URL": database.server.url(OWNER, database.name),
        "OWNER_DATABASE_PASSWORD": PASSWORD,
        "CALL_SERVERS__MAIN__HOST": "pbx.example.com",
        "CALL_SERVERS__MAIN__AMI_HOST": "127.0.0.1",
        "CALL_SERVERS__MAIN__AMI_PORT": "9",  # discard: nobody listens
        "CALL_SERVERS__MAIN__MONITOR_SECRET": PASSWORD,
        "CALL_SERVERS__MAIN__DATABASE_ROLE": ASTERISK,
        "CALL_SERVERS__MAIN__DATABASE_PASSWORD": PASSWORD,
        **values,
    }
    return {f"CONNECTOR_{name}": value for name, value in settings.items() if value}


def with_programs(database: TestDatabase) -> dict[str, str]:
    """The PATH on which a command finds PostgreSQL's programs."""
    return {"PATH": f"{find_binaries(database.server._cluster)}:{os.environ['PATH']}"}


def process_environment(variables: Mapping[str, str]) -> dict[str, str]:
    """These variables, beside those of the test runner that are no settings of the service."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")} | dict(variables)


def started(variables: dict[str, str], *arguments: str, root: Path = ROOT) -> Process:
    """A command that is under way; whoever starts it ends it. `root` is the folder where the service is."""
    return subprocess.Popen(
        [sys.executable, "-m", "service", *arguments],
        cwd=root,
        env=process_environment(variables),
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def ended(process: Process, given: str = "", within: float = 120.0) -> Done:
    """The process's result; it is killed when it takes longer than `within` seconds."""
    try:
        out, err = process.communicate(given, timeout=within)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"not within {within:g} s; it said {out!r} and {err!r}") from None
    return Done(process.args, process.returncode, out, err)


def command(variables: dict[str, str], *arguments: str, given: str = "", root: Path = ROOT) -> Done:
    """Run a command to its end."""
    return ended(started(variables, *arguments, root=root), given)


def in_this_process(
    patch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: dict[str, str],
    *arguments: str,
    given: bytes = b"",
) -> Done:
    """The same without a process of its own, which takes a second to start: for the many small cases."""
    patch.setattr(logs, "configure", lambda *_, **__: None)  # it would change this process's logging for good
    for name in [name for name in os.environ if name.startswith("CONNECTOR_")]:
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)
    patch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(given)))
    capsys.readouterr()
    try:
        code = main(list(arguments))
    except SystemExit as ended:  # argparse's
        code = int(ended.code or 0)
    return Done(arguments, code, *capsys.readouterr())
