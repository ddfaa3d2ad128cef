"""The model of an Asterisk writes what a real one wrote."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from tests.simulation import world as worlds  # before anything of `service`

# isort: split
from tests.simulation.server import PORT, AmiServer
from tests.simulation.session import SECRET
from tests.support.recorded_session import CALLERS, EXTENSION, FILE, HINTS, LAMP, MEMBER, QUEUE, Headers, Step, play

QUIET = 1.0
"""Simulated seconds after which a change is over."""


class ModelPeer:
    """A connection to the model, byte for byte, through the simulated network."""

    def __init__(self, server: AmiServer) -> None:
        self._server = server
        self._actions = 0

    async def act(self, step: Step) -> list[Headers]:
        queues = self._server.asterisk.queues
        match step:
            case ("login",):
                await self.log_in("monitor")
            case ("as", account, action, *headers):
                return await self._as(account, action, headers) + await self._read_all()
            case ("add member",):
                queues.add_member(QUEUE, MEMBER, LAMP)
            case ("remove member",):
                queues.remove_member(QUEUE, MEMBER)
            case ("pause", paused, reason):
                queues.pause(MEMBER, paused == "true", reason)
            case ("call", number):
                queues.join(QUEUE, number, CALLERS)
            case ("hang up", number):
                queues.leave(QUEUE, number, CALLERS)
            case ("set", device, state):
                self._server.asterisk.set_custom(device, state)
            case ("register",):
                self._server.asterisk.register(EXTENSION)
            case ("unregister",):
                self._server.asterisk.unregister(EXTENSION)
            case ("send", action, *headers):
                self._send(action, *headers)
        return await self._read_all()

    async def log_in(self, account: str, *headers: str) -> None:
        self._reader, self._writer = await asyncio.open_connection("asterisk", PORT)
        await self._reader.readline()
        self._send("Login", "Username", account, "Secret", SECRET, *headers)

    async def _as(self, account: str, action: str, headers: list[str]) -> list[Headers]:
        """What another account is answered."""
        other = ModelPeer(self._server)
        await other.log_in(account, "Events", "off")
        answers = await other._read_all()
        if "Error" not in dict(answers[-1]).values():
            other._send(action, *headers)
            answers = await other._read_all()
        other._writer.transport.abort()
        return answers

    def _send(self, action: str, *headers: str) -> None:
        self._actions += 1
        lines = [f"Action: {action}", f"ActionID: {self._actions}"]
        lines += [f"{name}: {value}" for name, value in zip(headers[::2], headers[1::2], strict=True)]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def _read_all(self) -> list[Headers]:
        messages: list[Headers] = []
        try:
            while True:
                async with asyncio.timeout(QUIET):
                    frame = (await self._reader.readuntil(b"\r\n\r\n")).decode()
                lines = frame.strip("\r\n").split("\r\n")
                messages.append([(name, value) for name, _, value in (line.partition(": ") for line in lines)])
        except TimeoutError:
            return messages


def test_the_model_writes_what_the_recorded_asterisk_wrote() -> None:
    played: list[Any] = []

    async def main(world: worlds.World) -> None:
        server = AmiServer(world)
        for name in (EXTENSION, "12343"):
            server.asterisk.add_endpoint(name, tracked=True)
        server.asterisk.hints = dict(HINTS)
        server.asterisk.custom[LAMP] = "UNKNOWN"  # as a custom device that was never set
        server.asterisk.queues.add_queue(QUEUE)
        server.asterisk.settle_hints()
        await world.start("asterisk", server.listen(), "listen")
        await world.start("connector", collect(ModelPeer(server)), "peer")

    async def collect(peer: ModelPeer) -> None:
        played.extend(await play(peer))

    ended = worlds.run(0, main)
    if ended.error is not None:
        raise ended.error
    assert json.loads(json.dumps(played)) == json.loads(FILE.read_text())
