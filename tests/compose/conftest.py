"""Three compose projects for all tests here. Without Docker or compose these tests fail: nothing is skipped."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compose.docker import docker
from tests.compose.production import Production
from tests.compose.project import Project

GIVEN = {"AMI_PRESENCE_SECRET": "given-by-the-operator", "ASTERISK_DATABASE_PASSWORD": "given-by-the-operator-too"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first of these tests builds the images, whose packages it downloads."""
    for item in items:
        if item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.timeout(900))


@pytest.fixture(scope="package")
def plain() -> Iterator[Project]:
    """As it starts from a fresh clone: nothing given, no demo data."""
    with running(Project()) as project:
        yield project


@pytest.fixture(scope="package")
def demo() -> Iterator[Project]:
    """With the demo data, and two secrets given as .env would give them."""
    with running(Project(profiles=("demo",), settings=dict(GIVEN))) as project:
        yield project


@pytest.fixture(scope="package")
def production(tmp_path_factory: pytest.TempPathFactory, page_socket: socket.socket) -> Iterator[Production]:
    """As docs/operations.md has an operator start it, with Caddy's own certificate authority."""
    page = f"http://127.0.0.1:{page_socket.getsockname()[1]}"
    settings = {"CONNECTOR_CORS_ORIGINS": f'["{page}"]', "CONNECTOR_REQUESTS_PER_MINUTE": "100000"}
    project = Production(folder=tmp_path_factory.mktemp("production"), settings=settings)
    try:
        project.build()
        with running(project):
            yield project
    finally:
        project.remove()


@pytest.fixture(scope="package")
def page_socket() -> Iterator[socket.socket]:
    """Where a page of another origin than the service's is served, which the project's settings name."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


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
