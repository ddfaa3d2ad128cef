"""Server-sent events read from a socket whose buffer a test may make small; it reads when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.support.raw import request
from tests.support.server import ADMIN

STREAM = "/api/v1/presence/stream"


@dataclass
class EventReader:
    """One stream. `known` is what it was told, by extension."""

    reader: asyncio.StreamReader
    head: str
    known: dict[str, dict[str, Any]] = field(default_factory=dict)
    queues: list[dict[str, Any]] = field(default_factory=list)
    """Every event about a queue."""
    cursors: list[str] = field(default_factory=list)
    ended: bool = False

    async def block(self) -> list[str]:
        """The names of the events of the next chunk; none for a comment, and at the stream's end."""
        size = int((await self.reader.readline()).strip() or b"0", 16)
        data = (await self.reader.readexactly(size + 2))[:-2].decode()
        self.ended = not size
        events = [dict(line.split(": ", 1) for line in text.split("\n") if ": " in line) for text in data.split("\n\n")]
        for event in events:
            self._apply(event)
        return [event["event"] for event in events if "event" in event]

    def _apply(self, fields: dict[str, str]) -> None:
        if fields.get("event") == "queue":
            self.queues.append(json.loads(fields["data"]))
        if fields.get("event") not in ("snapshot", "change"):
            return
        told = json.loads(fields["data"])
        self.cursors.append(told["cursor"])
        if fields["event"] == "snapshot":
            self.known.clear()
        apply(self.known, told["presence"])

    async def follow(self) -> None:
        """Read until the stream ends."""
        while not self.ended:
            await self.block()


def apply(known: dict[str, dict[str, Any]], items: list[dict[str, Any]]) -> None:
    """What a client does with what it is told."""
    for item in items:
        if item.get("deleted"):
            known.pop(item["extension"], None)
        else:
            known[item["extension"]] = item


@contextlib.asynccontextmanager
async def events(
    port: int, headers: Mapping[str, str] = ADMIN, query: str = "", receive_buffer: int | None = None
) -> AsyncIterator[EventReader]:
    """A stream of which at most about `receive_buffer` bytes wait in this process and its socket."""
    line = socket.socket()
    line.setblocking(False)
    if receive_buffer is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    await asyncio.get_running_loop().sock_connect(line, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=line, limit=receive_buffer or 1 << 22)
    try:
        writer.write(request(STREAM + query, *(f"{name}: {value}" for name, value in headers.items())))
        async with asyncio.timeout(15):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        yield EventReader(reader, head)
    finally:
        writer.transport.abort()
