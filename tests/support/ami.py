"""A bare AMI client: what it says about an Asterisk owes nothing to the service that is tested."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable

Answer = dict[str, str]
ANSWER_WITHIN = 30.0


class Ami:
    """One connection, logged in; made by `logged_in`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def read(self) -> Answer:
        """The next message, whatever it is."""
        frame = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        return dict(line.partition(": ")[::2] for line in frame.strip("\r\n").split("\r\n"))

    def send(self, action: str, **headers: str) -> None:
        """Send an action and do not wait; `Action: ` comes first."""
        lines = [f"Action: {action}", *(f"{name}: {value}" for name, value in headers.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())

    async def ask(self, action: str, **headers: str) -> Answer:
        """The answer to an action; events before it are dropped."""
        self.send(action, **headers)
        async with asyncio.timeout(ANSWER_WITHIN):
            while "Response" not in (message := await self.read()):
                pass
        return message

    async def value(self, expression: str) -> str:
        return (await self.ask("Getvar", Variable=expression))["Value"]

    async def device_states(self) -> dict[str, str]:
        """`DeviceStateList` as it is: every device's state, in the spelling of the wire."""
        states = {}
        assert (await self.ask("DeviceStateList"))["Response"] == "Success"
        async with asyncio.timeout(ANSWER_WITHIN):
            while (message := await self.read()).get("Event") != "DeviceStateListComplete":
                states[message["Device"]] = message["State"]
        return states

    async def queue_summaries(self) -> dict[str, Answer]:
        """`QueueSummary` as it is, by queue, without the longest time somebody waits: that is another every second."""
        summaries = {}
        assert (await self.ask("QueueSummary"))["Response"] == "Success"
        async with asyncio.timeout(ANSWER_WITHIN):
            while (message := await self.read()).get("Event") != "QueueSummaryComplete":
                if message.get("Event") == "QueueSummary":
                    del message["Event"], message["LongestHoldTime"]
                    summaries[message.pop("Queue")] = message
        return summaries

    async def set_states(self, changes: Iterable[tuple[str, str]]) -> None:
        """Set custom devices, in this order, all sent at once. Returns when Asterisk has done all."""
        actions = [
            f"Action: Setvar\r\nVariable: DEVICE_STATE({device})\r\nValue: {state}\r\n\r\n" for device, state in changes
        ]
        self._writer.write("".join(actions).encode())
        left = len(actions)
        async with asyncio.timeout(ANSWER_WITHIN):
            while left:
                answer = await self.read()
                assert answer.get("Response") == "Success", answer
                left -= 1


@contextlib.asynccontextmanager
async def logged_in(port: int, username: str, secret: str) -> AsyncIterator[Ami]:
    """A connection, until the block ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    try:
        await reader.readline()
        ami = Ami(reader, writer)
        answer = await ami.ask("Login", Username=username, Secret=secret)
        assert answer["Response"] == "Success", answer
        yield ami
    finally:
        writer.transport.abort()
