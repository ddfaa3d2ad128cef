"""A scripted AMI peer, for what a real Asterisk cannot be made to do.

That is: to break the protocol, or to put an answer and a certain event into the very same read. Everything that a real
one does is tested on a real one.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

GREETING = b"Asterisk Call Manager/11.0.0\r\n"
Action = dict[str, str]
Reply = Callable[[Action], bytes]


def message(*lines: str, action: Action | None = None) -> bytes:
    """A message on the wire; the answer to `action`, if one is given."""
    ids = [f"ActionID: {action['ActionID']}"] if action else []
    return ("\r\n".join([lines[0], *ids, *lines[1:]]) + "\r\n\r\n").encode()


def success(action: Action) -> bytes:
    return message("Response: Success", action=action)


def device_state(device: str, state: str, action: Action | None = None) -> bytes:
    """An event, or an item of the list that answers `action`."""
    return message("Event: DeviceStateChange", f"Device: {device}", f"State: {state}", action=action)


def device_states(states: Mapping[str, str]) -> Reply:
    """What answers DeviceStateList."""

    def reply(action: Action) -> bytes:
        return listing(action, *(device_state(device, state, action) for device, state in states.items()))

    return reply


def listing(action: Action, *items: bytes) -> bytes:
    """The answer to a list action."""
    end = message(f"Event: {action['Action']}Complete", "EventList: Complete", action=action)
    return b"".join([message("Response: Success", "EventList: start", action=action), *items, end])


def login(action: Action) -> bytes:
    return success(action) + message("Event: FullyBooted", "Status: Fully Booted")


USUAL: dict[str, Reply] = {
    "Login": login,
    "DeviceStateList": listing,
    "ExtensionStateList": listing,
    "PresenceStateList": listing,
    "DBGetTree": listing,
}


class Line:
    """One connection to the peer."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def say(self, data: bytes) -> None:
        """Send bytes, whatever they are, in one write."""
        self._writer.write(data)

    async def action(self) -> Action:
        """The next action that the client sends."""
        frame = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        return dict(line.partition(": ")[::2] for line in frame.strip("\r\n").split("\r\n"))

    async def behave(self, replies: Mapping[str, Reply]) -> None:
        """Greet, then answer as an Asterisk without devices does; `replies` differ from that, by action."""
        self.say(GREETING)
        while True:
            action = await self.action()
            self.say((USUAL | dict(replies)).get(action["Action"], success)(action))


@contextlib.asynccontextmanager
async def peer(serve: Callable[[Line], Awaitable[None]]) -> AsyncIterator[int]:
    """A port where `serve` is run for each connection, until the block ends."""
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(Line(reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.transport.abort()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
