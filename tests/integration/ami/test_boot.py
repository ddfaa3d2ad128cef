"""A boot with thousands of realtime endpoints: nothing is live before Asterisk has said it; in the end all is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator

import pytest

from tests.support.cutter import Cutter, cutting
from tests.support.database import TestDatabase, copied
from tests.support.eventually import eventually
from tests.support.links import Watch, is_live, with_accounts
from tests.support.pbx import Pbx, make_pbx

ENDPOINTS = 5000
SAID = re.compile(rb"Device: (PJSIP/\d+)\r\nState: (\w+)\r\n|DEVICE_STATE\((PJSIP/\d+)\)\r\nValue: (\w+)\r\n")


@pytest.fixture
def large(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """An Asterisk that is not started yet, with many endpoints."""
    database = copied(template, "large")
    numbers = f"generate_series(100001, {100000 + ENDPOINTS}) as number"
    columns = "extensions (extension, secret, call_server, profile)"
    database.server.sql(f"insert into {columns} select number, number, 'main', 'sip' from {numbers}", database.name)  # noqa: S608
    pbx = make_pbx(tmp_path_factory, database, with_accounts(tmp_path_factory.mktemp("large")))
    try:
        yield pbx
    finally:
        pbx.asterisk.stop()


class Said:
    """What Asterisk said of its devices, read from the line before the link can know it."""

    def __init__(self, cutter: Cutter) -> None:
        self._cutter = cutter
        self._at = 0
        self.states: dict[str, set[str]] = {}

    def read(self) -> None:
        data = self._cutter.said
        for found in SAID.finditer(data, self._at):
            device, state = (part.decode() for part in found.groups() if part is not None)
            self.states.setdefault(device, set()).add(state)
            self._at = found.end()


async def test_no_device_is_live_before_asterisk_has_said_its_state_and_in_the_end_all_are(
    large: Pbx, watch: Watch
) -> None:
    numbers = tuple(str(number) for number in range(100001, 100001 + ENDPOINTS))
    devices = [f"PJSIP/{number}" for number in numbers]
    known = {*devices, "PJSIP/12342", "PJSIP/12343"}
    async with cutting(large.asterisk.config.ami_port) as cutter:
        link = watch(large, port=cutter.port, want=numbers, deadline=10.0)
        said = Said(cutter)
        counts: list[int] = []

        def all_live() -> bool:
            said.read()
            if not is_live(link):
                assert not any(link.states.read(device).live for device in devices)
                return False
            told = {device: state.name for device, state in link.states.items() if device in known}
            assert all(state in said.states[device] for device, state in told.items())
            counts.append(len(told))
            return len(told.keys() & set(devices)) == ENDPOINTS

        await asyncio.to_thread(large.asterisk.start)
        await eventually(all_live, 120)
        print(f"live devices at the first snapshot: {counts[0]} of {ENDPOINTS}; looked {len(counts)} times until all")
        assert {link.states.read(device).state.value for device in devices} == {"Unavailable"}
