"""The world of the bus."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.bus.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.close()
