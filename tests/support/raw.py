"""HTTP byte by byte, for what a well-behaved client would not send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawAnswer:
    """An answer as it came."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def request(target: str, *headers: str, method: str = "GET", body: bytes = b"") -> bytes:
    """A whole request; the target and the header lines go out as they are given."""
    lines = [f"{method} {target} HTTP/1.1", "Host: test", *headers]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in headers):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body


@contextlib.asynccontextmanager
async def line_to(
    port: int, tls: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A TCP connection, or a TLS connection as a client with this context makes it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answer_on(reader: asyncio.StreamReader, *, bodiless: bool = False, within: float = 15.0) -> RawAnswer:
    """The next answer on a connection; `bodiless` for the answer to HEAD."""
    async with asyncio.timeout(within):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.rstrip("\r\n").split("\r\n")
        headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        size = 0 if bodiless else int(headers.get("content-length", 0))
        return RawAnswer(int(first.split()[1]), headers, await reader.readexactly(size))


async def raw(
    port: int, data: bytes, *, bodiless: bool = False, within: float = 15.0, tls: ssl.SSLContext | None = None
) -> RawAnswer:
    """Send bytes on a connection of their own and read one answer."""
    async with line_to(port, tls) as (reader, writer):
        writer.write(data)
        return await answer_on(reader, bodiless=bodiless, within=within)


async def rest_of(reader: asyncio.StreamReader, within: float = 15.0) -> bytes:
    """Everything up to the end of the connection."""
    found = b""
    async with asyncio.timeout(within):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                found += data
    return found
