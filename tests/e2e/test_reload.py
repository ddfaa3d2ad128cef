"""`make dev` in a copy of the working tree: a saved source file is in the next answer."""

from __future__ import annotations

import json
import re
import shutil
from http import HTTPStatus
from pathlib import Path

import pytest

from local import ports
from tests.e2e import processes
from tests.e2e.program import BY_CTRL_C, ROOT, Program
from tests.e2e.run import Run, server
from tests.support.eventually import wait_until

RELOADED_WITHIN_S = 30.0
COPIED = ("Makefile", "pyproject.toml", "requirements.lock", "requirements-dev.lock", "requirements-postgres.lock")
FOLDERS = ("asterisk", "local", "service")


@pytest.fixture
def copy(tmp_path: Path, folder: Path) -> Run:
    """A run that works in a copy of the working tree."""
    root = tmp_path / "project"
    root.mkdir()
    for name in COPIED:
        shutil.copy(ROOT / name, root)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    return Run(tmp_path / "data", folder / "tmp-of-copy", root=root)


def pids(program: Program) -> dict[str, int]:
    return {name: server(program, name) for name in ("postgres", "asterisk", "service")}


def alive(run: Run) -> str:
    """What /livez answers; empty while nobody does."""
    try:
        answer = run.request("GET", "/livez")
    except OSError:
        return ""
    return answer.text if answer.status == HTTPStatus.OK else ""


def save(run: Run, statement: str) -> None:
    """Have /livez begin with a statement, and save its module."""
    module = run.root / "service/web/ops/health.py"
    signature = re.compile(r"^async def livez\(.*\) -> web\.Response:\n", re.MULTILINE)
    text, count = signature.subn(
        lambda found: f"{found[0]}    {statement}\n", (ROOT / module.relative_to(run.root)).read_text()
    )
    assert count == 1
    module.write_text(text)


def test_a_saved_file_is_served_and_a_broken_one_heals_while_the_other_servers_stay(copy: Run) -> None:
    with copy.program("make", "dev") as program:
        copy.ready(program)
        before = pids(program)
        assert json.loads(alive(copy)) == {"status": "alive"}

        save(copy, 'return web.json_response("edited")')
        wait_until(lambda: alive(copy) == '"edited"', RELOADED_WITHIN_S, "/livez answers from the edited code")
        program.prints(r"^run +\| service/web/ops/health\.py changed; restarting the service$", 20)

        printed = len(program.printed)
        save(copy, "return web.json_response(")
        program.prints(r"^run +\| service has ended; restarting it in", RELOADED_WITHIN_S, after=printed)
        save(copy, 'return web.json_response("mended")')
        wait_until(lambda: alive(copy) == '"mended"', RELOADED_WITHIN_S, "/livez answers from the mended code")

        after = pids(program)
        assert (after["postgres"], after["asterisk"]) == (before["postgres"], before["asterisk"])
        assert after["service"] != before["service"]

        were = processes.below(program.pid)
        program.ctrl_c()
        assert program.ends() in BY_CTRL_C
        wait_until(lambda: not processes.alive(were), RELOADED_WITHIN_S, "no process remains")
        assert ports.is_free(copy.http_port)
