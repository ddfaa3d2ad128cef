"""What the faults happen to. The newest Asterisk alone: they are about what the service says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.integration.faults.scene import Scene
from tests.support.database import TestDatabase, copied
from tests.support.pbx import Pbx, make_pbx


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """A booted Asterisk, which each fault leaves as it was."""
    name = f"faults_{tmp_path_factory.mktemp('name').name.replace('-', '_')}".lower()
    database = copied(template, name)
    made = make_pbx(tmp_path_factory, database)
    with made.asterisk:
        yield made


@pytest.fixture
async def scene(
    database: TestDatabase, tmp_path: Path, prometheus_root: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Scene]:
    made = Scene(database, tmp_path, prometheus_root, request)
    async with made.stack:
        yield made
