"""One `make run` for all tests here; those that end it have one of their own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.program import Program
from tests.e2e.run import Run

FIRST_START_S = 900.0
"""On a fresh machine it downloads PostgreSQL, Asterisk and the phone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the downloads."""
    ours = [item for item in items if item.path.is_relative_to(Path(__file__).parent)]
    for item in ours:
        item.add_marker(pytest.mark.timeout(FIRST_START_S if item is ours[0] else 120))


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    """Where other users may enter."""
    with tempfile.TemporaryDirectory(prefix="connector-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="session")
def run(folder: Path) -> Run:
    """The shared run. Its tests leave it as they found it: all three alive, no phone registered."""
    return Run(folder / "data", folder / "tmp")


@pytest.fixture(scope="session", autouse=True)
def program(run: Run) -> Iterator[Program]:
    """Its `make run`."""
    with run.start() as program:
        run.ready(program, FIRST_START_S)
        yield program
