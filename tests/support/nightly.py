"""Writes the result of `make nightly` into docs/reliability.md. Loaded with `-p tests.support.nightly`.

A test adds what it measured with `record_property("measured", "...")`.
"""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
PAGE = PROJECT / "docs/reliability.md"
BEGIN, END = "<!-- the last result of `make nightly`, which writes it -->", "<!-- end -->"

_reports: list[pytest.TestReport] = []
_started = time.monotonic()


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Also of tests that ran in another process. What fails before or after its test counts too."""
    if report.when == "call" or report.failed:
        _reports.append(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(exitstatus: int) -> None:
    """A run that was interrupted has no result."""
    ended = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
    if ended and _reports and "PYTEST_XDIST_WORKER" not in os.environ:
        minutes = (time.monotonic() - _started) / 60
        header = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {_commit()}, {minutes:.0f} minutes, {_machine()}"
        PAGE.write_text(written(PAGE.read_text(), header, _reports))


def written(page: str, header: str, reports: Sequence[pytest.TestReport]) -> str:
    """The page with this result in place of the one before."""
    outcomes = Counter(report.outcome for report in reports)
    summary = ", ".join(f"{count} {outcome}" for outcome, count in sorted(outcomes.items()))
    rows = [f"| `{report.nodeid}` | {report.outcome} | {_measured(report)} |" for report in reports]
    table = ["| test | result | measured |", "| --- | --- | --- |", *rows]
    result = "\n".join([BEGIN, "", f"{header}: **{summary}**.", "", *table, "", END])
    return re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: result, page, flags=re.DOTALL)


def _measured(report: pytest.TestReport) -> str:
    told = [str(value) for name, value in report.user_properties if name == "measured"]
    return "; ".join([*told, f"{report.duration:.0f} s"])


def _commit() -> str:
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return f"{_git('rev-parse', '--short', 'HEAD') or 'unknown'}{' with changes' if changes else ''}"


def _git(*command: str) -> str:
    return subprocess.run(["git", "-C", PROJECT, *command], capture_output=True, text=True, check=False).stdout.strip()


def _machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}"
