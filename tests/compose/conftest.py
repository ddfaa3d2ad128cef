"""Two compose projects for all tests here. Without Docker or compose these tests fail: nothing is skipped."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pytest

from tests.compose.project import Project, docker

GIVEN = {"AMI_SYNC_SECRET": "given-by-the-operator", "ASTERISK_DATABASE_PASSWORD": "given-by-the-operator-too"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Images are built and containers restarted: these tests take longer than others."""
    for item in items:
        if item.path.is_relative_to(__file__.removesuffix("/conftest.py")):
            item.add_marker(pytest.mark.timeout(1200 if item is items[0] else 300))


@pytest.fixture(scope="session")
def plain() -> Iterator[Project]:
    """As it starts from a fresh clone: nothing given, no demo data."""
    with running(Project()) as project:
        yield project


@pytest.fixture(scope="session")
def demo() -> Iterator[Project]:
    """With the demo data, and two secrets given as .env would give them."""
    with running(Project(profiles=("demo",), settings=GIVEN)) as project:
        yield project


@contextlib.contextmanager
def running(project: Project) -> Iterator[Project]:
    docker("compose", "version")
    try:
        try:
            project.up()
        except BaseException:
            print(project.logs())
            raise
        yield project
    finally:
        project.remove()
