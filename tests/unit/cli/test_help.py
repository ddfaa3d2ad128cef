"""The command line explains itself without settings, without a database, and without the web server's imports."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Iterator

import pytest

from service.cli import main, parser
from tests.support.command_line import ROOT

HEAVY = ("aiohttp", "alembic", "panoramisk", "sqlalchemy", "prometheus_client")


def commands(root: argparse.ArgumentParser, *before: str) -> Iterator[tuple[str, ...]]:
    """Every command that is listed, and every subcommand."""
    for action in root._subparsers._group_actions if root._subparsers else ():
        assert isinstance(action, argparse._SubParsersAction)
        for listed in action._choices_actions:
            yield (*before, listed.dest)
            yield from commands(action.choices[listed.dest], *before, listed.dest)


COMMANDS = sorted(commands(parser()))


def test_there_are_commands() -> None:
    assert ("user", "show") in COMMANDS


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_each_command_says_what_it_does_and_how_it_ends(
    command: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONNECTOR_NO_SUCH_SETTING", "x")
    with pytest.raises(SystemExit) as ended:
        main([*command, "--help"])
    told = capsys.readouterr().out
    assert ended.value.code == 0
    description = told.split("\n\n")[1]
    assert description.strip().endswith((".", "not."))
    assert "Exit codes:" in told
    assert "--json" in told or "COMMAND" in told


def test_the_command_line_starts_without_what_only_the_web_server_needs() -> None:
    script = f"import sys, service.cli; print([each for each in {HEAVY} if each in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
