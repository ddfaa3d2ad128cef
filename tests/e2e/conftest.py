"""One `make run` for all tests here; those that end it have one of their own."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from local import ports
from tests.e2e.program import Program
from tests.e2e.run import Run

FIRST_START_S = 900.0
"""On a fresh machine it downloads PostgreSQL, Asterisk and the phone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the downloads; those with a browser for the browser's, and for npm's."""
    here = Path(__file__).parent
    ours = [item for item in items if item.path.is_relative_to(here)]
    for item in ours:
        downloads = item is ours[0] or item.path.is_relative_to(here / "browser")
        item.add_marker(pytest.mark.timeout(FIRST_START_S if downloads else 300))


@pytest.fixture(scope="package")
def folder() -> Iterator[Path]:
    """Where other users may enter."""
    with tempfile.TemporaryDirectory(prefix="connector-e2e-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="package")
def page_socket() -> Iterator[socket.socket]:
    """Where the pages of the browser tests will be: taken before anybody else takes it."""
    with socket.create_server((ports.LOOPBACK, 0)) as made:
        yield made


@pytest.fixture(scope="package")
def run(folder: Path, page_socket: socket.socket) -> Run:
    """The shared run. Its tests leave it as they found it: all three alive, no phone registered."""
    page = f"http://{ports.LOOPBACK}:{page_socket.getsockname()[1]}"
    return Run(folder / "data", folder / "tmp", cors_origins=(page,))


@pytest.fixture(scope="package", autouse=True)
def program(run: Run) -> Iterator[Program]:
    """Its `make run`."""
    with run.start() as program:
        run.ready(program, FIRST_START_S)
        yield program
