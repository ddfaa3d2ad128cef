"""The recorded session that the simulation's model is checked with is what the newest Asterisk writes today.

`WRITE_RECORDING=1` writes tests/simulation/recorded/session.json.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator

import pytest

from local.baresip import Phone
from service.cli.demo import SIP_PASSWORD
from tests.support.database import TestDatabase
from tests.support.dialplan import hinted
from tests.support.links import booted, storm
from tests.support.pbx import Pbx
from tests.support.recorded_session import EXTENSION, FILE, HINTS, Headers, Step, play

ENDS_WITHIN = 15.0
QUIET = 0.6
"""Seconds without a message after which a change is over."""


class RealPeer:
    """A connection of the account `monitor`, byte for byte."""

    def __init__(self, pbx: Pbx, phone: Phone) -> None:
        self._pbx = pbx
        self._phone = phone
        self._actions = 0

    async def act(self, step: Step) -> list[Headers]:
        match step:
            case ("login",):
                port = self._pbx.asterisk.config.ami_port
                self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
                await self._reader.readline()
                secret = self._pbx.asterisk.config.monitor_secret
                return await self._send("Login", "Username", "monitor", "Secret", secret) + await self._rest()
            case ("set", device, state):
                async with storm(self._pbx) as ami:
                    await ami.set_states([(device, state)])
                return await self._rest()
            case ("register",):
                await asyncio.to_thread(self._phone.start)
                await asyncio.to_thread(self._phone.wait_registered)
                return await self._rest()
            case ("unregister",):
                await asyncio.to_thread(self._phone.stop)
                return await self._rest()
            case ("send", action, *headers):
                return await self._send(action, *headers) + (await self._rest() if action == "PJSIPQualify" else [])
        raise AssertionError(step)

    async def _send(self, action: str, *headers: str) -> list[Headers]:
        """The messages up to the action's response, or to the end of its list."""
        self._actions += 1
        id_ = str(self._actions)
        lines = [f"Action: {action}", f"ActionID: {id_}"]
        lines += [f"{name}: {value}" for name, value in zip(headers[::2], headers[1::2], strict=True)]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        messages: list[Headers] = []
        async with asyncio.timeout(ENDS_WITHIN):
            while True:
                message = await self._read()
                messages.append(message)
                found = dict(message)
                is_over = found.get("EventList") == "Complete" or ("Response" in found and "EventList" not in found)
                if found.get("ActionID") == id_ and is_over:
                    return messages

    async def _rest(self) -> list[Headers]:
        """What comes until Asterisk is quiet."""
        messages: list[Headers] = []
        try:
            while True:
                async with asyncio.timeout(QUIET):
                    messages.append(await self._read())
        except TimeoutError:
            return messages

    async def _read(self) -> Headers:
        frame = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        return [line.partition(": ")[::2] for line in frame.strip("\r\n").split("\r\n")]


@pytest.fixture(scope="module")
def newest(tmp_path_factory: pytest.TempPathFactory, template: TestDatabase) -> Iterator[Pbx]:
    """The newest Asterisk, which the model imitates, with accounts for tests."""
    with booted(tmp_path_factory, template) as pbx:
        yield pbx


async def test_the_recorded_session_is_what_asterisk_writes(newest: Pbx) -> None:
    with hinted(newest, HINTS):
        played = await play(RealPeer(newest, newest.phone(EXTENSION, SIP_PASSWORD)))
    if os.environ.get("WRITE_RECORDING"):
        FILE.write_text(json.dumps(played, indent=1) + "\n")
    assert json.loads(json.dumps(played)) == json.loads(FILE.read_text())
