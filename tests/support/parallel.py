"""Tests in several processes (pytest-xdist): how many processes, who runs what in which order, and which ports."""

from __future__ import annotations

import os
from pathlib import PurePath

import pytest
from xdist.scheduler import LoadScopeScheduling

from local import ports
from tests.support.pbx import TESTED
from tests.support.prefetch import prefetch

WHOLE = ("tests/e2e/", "tests/compose/", "tests/packaging/")
"""Folders whose tests share what takes longest to start: one process runs all of them."""
LONG = (
    "tests/integration/runtime/test_workers.py",
    "tests/integration/db/test_failover.py",
    "tests/integration/runtime/test_demo_stays_here.py",
    "tests/integration/runtime/test_signals.py",
    "tests/integration/server/test_schemathesis.py",
    "tests/integration/db/test_database_answers.py",
    "tests/integration/auth/test_login_limits.py",
    "tests/integration/existing/test_documentation.py",
    "tests/integration/existing/test_lie_checker.py",
)
"""The modules that take longest. One that is missing here costs time, nothing else."""
MOST_PROCESSES = 16


class ByParts(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process whole parts, so that what the tests of a part share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        """The part of a test: its folder, its module, or its module with one Asterisk."""
        module, _, test = nodeid.partition("::")
        parameters = test.partition("[")[2].removesuffix("]").split("-")
        suites = [suite for suite in TESTED if suite in parameters]
        return next((folder for folder in WHOLE if module.startswith(folder)), " ".join([module, *suites]))


def pytest_xdist_auto_num_workers() -> int:
    """Three for two cores: tests wait most of the time, and deadlines of a second must hold beside one another."""
    return min(-(-3 * len(os.sched_getaffinity(0)) // 2), MOST_PROCESSES)


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByParts:
    config.option.loadscopereorder = False  # keep the order of pytest_collection_modifyitems
    return ByParts(config, log)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """In several processes: long parts first, so that none starts when the other processes have run out of work."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: _turn(item.path.relative_to(config.rootpath)))


def _turn(module: PurePath) -> int:
    """The lower, the earlier."""
    if module.as_posix().startswith(WHOLE):
        return 0
    if module.as_posix() in LONG:
        return 1
    return 3 if module.parts[1] == "unit" else 2


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Before the processes start: download what is missing, once."""
    if session.config.getoption("numprocesses", None):
        prefetch(session.config.args)


def pytest_configure() -> None:
    """Give each process ports of its own: another one could take a free port between its choice and its use."""
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        share = len(ports.CANDIDATES) // int(os.environ["PYTEST_XDIST_WORKER_COUNT"]) // 2 * 2
        first = int(worker.removeprefix("gw")) * share
        ports.CANDIDATES = ports.CANDIDATES[first : first + share]
