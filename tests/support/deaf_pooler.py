"""A proxy before PostgreSQL that withholds notifications, as a pooler may, or freezes the listener.

It reads the server's messages (one byte of type, four of length) and drops NotificationResponse; see "Message
Formats" in PostgreSQL's documentation. No pooler has to be installed, and a test says when.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

NOTIFICATION = b"A"


class DeafPooler:
    """Forwards connections to a port on this machine; made by `pooling`."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._lines: set[asyncio.Task[None]] = set()
        self._listeners: set[asyncio.Task[None]] = set()
        self._frozen: set[asyncio.Task[None]] = set()
        self.port = 0
        self.swallows = False
        """Whether notifications are withheld."""
        self.dropped = 0

    def freeze_listeners(self) -> None:
        """From now on nothing goes through the connections that listen now, in either direction; they stay open."""
        assert self._listeners, "nobody listens"
        self._frozen |= self._listeners

    async def connected(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        task = asyncio.current_task()
        assert task is not None
        self._lines.add(task)
        server, to_server = await asyncio.open_connection("127.0.0.1", self._target, limit=1 << 26)
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._ask(task, client, to_server))
                tasks.create_task(self._answer(task, server, to_client))
        except* (OSError, EOFError):
            pass  # the line ended, whoever ended it
        finally:
            to_client.transport.abort()
            to_server.transport.abort()
            for group in (self._lines, self._listeners, self._frozen):
                group.discard(task)

    async def end(self) -> None:
        """End all connections."""
        for task in tuple(self._lines):
            task.cancel()
        await asyncio.gather(*self._lines, return_exceptions=True)

    async def _ask(self, task: asyncio.Task[None], client: asyncio.StreamReader, server: asyncio.StreamWriter) -> None:
        while data := await client.read(1 << 16):
            if b"LISTEN " in data:
                self._listeners.add(task)
            if task not in self._frozen:
                server.write(data)
                await server.drain()
        raise EOFError

    async def _answer(
        self, task: asyncio.Task[None], server: asyncio.StreamReader, client: asyncio.StreamWriter
    ) -> None:
        kind = await server.readexactly(1)
        if kind == b"N":  # no TLS here: a single byte, before the messages begin
            client.write(kind)
            kind = await server.readexactly(1)
        while True:
            length = await server.readexactly(4)
            body = await server.readexactly(int.from_bytes(length, "big") - 4)
            if kind == NOTIFICATION and self.swallows:
                self.dropped += 1
            elif task not in self._frozen:
                client.write(kind + length + body)
                await client.drain()
            kind = await server.readexactly(1)


@contextlib.asynccontextmanager
async def pooling(target: int) -> AsyncIterator[DeafPooler]:
    """A pooler in front of a PostgreSQL, until the block ends."""
    pooler = DeafPooler(target)
    listening = await asyncio.start_server(pooler.connected, "127.0.0.1", 0)
    pooler.port = listening.sockets[0].getsockname()[1]
    try:
        yield pooler
    finally:
        listening.close()
        await pooler.end()
