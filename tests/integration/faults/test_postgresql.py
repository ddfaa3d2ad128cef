"""Faults of PostgreSQL, each provoked, as the runbook's table has it."""

from __future__ import annotations

import pytest

from tests.integration.faults import of_postgresql
from tests.integration.faults.scene import Scene
from tests.integration.faults.seen import is_seen, names


@pytest.mark.parametrize("name", names(of_postgresql))
async def test_a_fault_raises_its_alert_logs_its_event_and_is_named_by_the_command(scene: Scene, name: str) -> None:
    await is_seen(scene, name)
