"""A TCP proxy that cuts or holds a line on command: what networks do, at the byte where a test wants it."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections import Counter
from collections.abc import AsyncIterator


class Cutter:
    """Forwards connections to a port on this machine; made by `cutting`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lines: dict[asyncio.Task[None], list[asyncio.StreamWriter]] = {}
        self._open = asyncio.Event()
        self._open.set()
        self._cut_after: int | None = None
        self._held: dict[asyncio.StreamWriter, bytearray] = {}
        self._refusing = False
        self._every_asked: list[bytearray] = []
        self.attempts = 0
        """Connections that came, the refused ones too."""
        self.port = 0
        self.said = bytearray()
        """What the server said on the newest connection, as far as it was forwarded."""
        self.asked = bytearray()
        """What it was asked on the newest connection."""

    def cut(self) -> None:
        """Break every connection now."""
        for ends in self._lines.values():
            for end in ends:
                end.transport.abort()

    def cut_after(self, count: int) -> None:
        """Break one connection, the next to come so far, once exactly `count` bytes from the server were forwarded."""
        self._cut_after = count

    @property
    def armed(self) -> bool:
        """Whether that cut is still to come."""
        return self._cut_after is not None

    def refuse(self) -> None:
        """End each new connection at once; those that are open go on."""
        self._refusing = True

    def admit(self) -> None:
        """Let new connections in again."""
        self._refusing = False

    def hold(self) -> None:
        """Forward nothing more in either direction; the sockets stay open, and new ones are accepted."""
        self._open.clear()

    def resume(self) -> None:
        """Forward again, beginning with all that was held back, in one piece."""
        self._open.set()
        for to_client, data in self._held.items():
            to_client.write(data)
        self._held.clear()

    @property
    def held(self) -> bytes:
        """What servers said that is held back."""
        return b"".join(self._held.values())

    async def connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        self.attempts += 1
        if self._refusing:
            to_client.transport.abort()
            return
        task = asyncio.current_task()
        assert task is not None
        ends = self._lines[task] = [to_client]
        try:
            server, to_server = await asyncio.open_connection("127.0.0.1", self._target)
            ends.append(to_server)
            self.said, self.asked = said, asked = bytearray(), bytearray()
            self._every_asked.append(asked)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ask(client, to_server, asked))
                tasks.create_task(self._answer(server, to_client, said))
        except* OSError:
            pass  # the line ended, whoever ended it
        finally:
            for end in ends:
                end.transport.abort()
                self._held.pop(end, None)
            del self._lines[task]

    def actions(self) -> Counter[str]:
        """How often it was asked for each AMI action on the newest connection, pings left out."""
        return _actions(self.asked)

    def actions_of(self, username: str) -> Counter[str]:
        """The same for all connections on which this AMI account has tried to log in."""
        login = f"Username: {username}\r\n".encode()
        return sum((_actions(asked) for asked in self._every_asked if login in asked), Counter[str]())

    async def ended(self) -> None:
        """Wait until no connection is left."""
        await asyncio.gather(*self._lines)

    async def _ask(self, client: asyncio.StreamReader, to_server: asyncio.StreamWriter, asked: bytearray) -> None:
        while data := await client.read(1 << 16):
            await self._open.wait()
            asked += data
            to_server.write(data)
            await to_server.drain()
        raise ConnectionResetError

    async def _answer(self, server: asyncio.StreamReader, to_client: asyncio.StreamWriter, said: bytearray) -> None:
        while data := await server.read(1 << 16):
            if not self._open.is_set():
                self._held.setdefault(to_client, bytearray()).extend(data)
                continue
            if self._cut_after is not None and len(said) + len(data) >= self._cut_after:
                to_client.write(data[: max(0, self._cut_after - len(said))])
                self._cut_after = None
                raise ConnectionResetError
            said += data
            to_client.write(data)
            await to_client.drain()
        raise ConnectionResetError


def _actions(asked: bytearray) -> Counter[str]:
    names = re.findall(rb"^Action: (\w+)\r$", bytes(asked), re.MULTILINE | re.IGNORECASE)
    return Counter(name.decode() for name in names if name.lower() != b"ping")


@contextlib.asynccontextmanager
async def cutting(target: int) -> AsyncIterator[Cutter]:
    """A cutter in front of a port, until the block ends."""
    cutter = Cutter(target)
    server = await asyncio.start_server(cutter.connected, "127.0.0.1", 0)
    cutter.port = server.sockets[0].getsockname()[1]
    try:
        yield cutter
    finally:
        server.close()
        cutter.cut()
        cutter.resume()
        await cutter.ended()
