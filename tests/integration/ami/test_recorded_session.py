"""The recorded session that the simulation's model is checked with is what the newest Asterisk writes today.

`WRITE_RECORDING=1` writes tests/simulation/recorded/session.json.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.baresip import Phone
from service.cli.demo import SIP_PASSWORD
from tests.support.database import TestDatabase
from tests.support.dialplan import hinted
from tests.support.links import booted, storm, supervising
from tests.support.pbx import Pbx
from tests.support.recorded_session import CALLERS, EXTENSION, FILE, HINTS, LAMP, MEMBER, QUEUE, Headers, Step, play

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
                return await self.log_in("monitor", self._pbx.asterisk.config.monitor_secret) + await self._rest()
            case ("set", device, state):
                async with storm(self._pbx) as ami:
                    await ami.set_states([(device, state)])
                return await self._rest()
            case ("add member",):
                return await self._supervise("QueueAdd", Queue=QUEUE, Interface=MEMBER, StateInterface=LAMP)
            case ("pause", paused, reason):
                headers = {"Reason": reason} if reason else {}
                return await self._supervise("QueuePause", Interface=MEMBER, Paused=paused, **headers)
            case ("remove member",):
                return await self._supervise("QueueRemove", Queue=QUEUE, Interface=MEMBER)
            case ("call", number):
                return await self._supervise(
                    "Originate", Channel=f"Local/{number}@{CALLERS}", Async="true", Application="Wait", Data="60"
                )
            case ("hang up", number):
                return await self._supervise("Hangup", Channel=f"/^Local/{number}@.*$/")
            case ("as", account, action, *headers):
                return await self._as(account, action, headers) + await self._rest()
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

    async def log_in(self, account: str, secret: str, *headers: str) -> list[Headers]:
        """Connect and log in; the answer."""
        port = self._pbx.asterisk.config.ami_port
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
        await self._reader.readline()
        return await self._send("Login", "Username", account, "Secret", secret, *headers)

    async def _supervise(self, action: str, **headers: str) -> list[Headers]:
        """Have a supervisor do something; what this connection hears of it."""
        async with supervising(self._pbx) as ami:
            answer = await ami.ask(action, **headers)
            assert answer["Response"] == "Success", answer
        return await self._rest()

    async def _as(self, account: str, action: str, headers: list[str]) -> list[Headers]:
        """What another account is answered."""
        config = self._pbx.asterisk.config
        secrets = {"presence": config.presence_secret, "sync": config.sync_secret}
        other = RealPeer(self._pbx, self._phone)
        answers = await other.log_in(account, secrets.get(account, ""), "Events", "off")
        if "Error" not in dict(answers[-1]).values():
            answers = await other._send(action, *headers)
        other._writer.transport.abort()
        return answers

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


@contextlib.contextmanager
def queued(pbx: Pbx) -> Iterator[None]:
    """A queue without members, and a context whose callers wait in it."""
    assert pbx.asterisk._home is not None
    conf: Path = pbx.asterisk._home / "etc/queues.conf"
    conf.write_text(f"{conf.read_text()}\n[{QUEUE}]\nringinuse = yes\n")
    pbx.asterisk.rx("queue reload all")
    for step in ("1,Set(CALLERID(num)=${EXTEN})", "2,Answer()", f"3,Queue({QUEUE})"):
        pbx.asterisk.rx(f"dialplan add extension _X.,{step} into {CALLERS}")
    yield


async def test_the_recorded_session_is_what_asterisk_writes(newest: Pbx) -> None:
    with hinted(newest, HINTS), queued(newest):
        played = await play(RealPeer(newest, newest.phone(EXTENSION, SIP_PASSWORD)))
    if os.environ.get("WRITE_RECORDING"):
        FILE.write_text(json.dumps(played, indent=1) + "\n")
    assert json.loads(json.dumps(played)) == json.loads(FILE.read_text())
