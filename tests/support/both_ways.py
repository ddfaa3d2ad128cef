"""The same bytes to two services over one database: one answers plain requests, the other leaves all to aiohttp."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from service.web.http.prebuilt_response import PrebuiltResponse
from service.web.server.dispatcher import Dispatcher
from service.web.server.plain_request import PlainRequest
from tests.support.database import TestDatabase
from tests.support.server import Server, serving

DIFFERS = re.compile(
    rb'(?<=Date: )[^\r]+|(?<=X-Request-Id: )[0-9a-f]{32}(?=\r)|(?<="cursor":")\w+|\d{4}-\d\d-\d\dT[^"\r]+'
)
"""What is never the same: times, ids, and a cursor's process."""
ATTEMPTS = 5
"""A service that closes before it has read everything resets the connection: the client may lose the last answer."""
TURNS = 8
"""Turns of the loop after a piece, so that the service reads it before the next one."""


@dataclass
class BothWays:
    """The two services. `plain` counts the requests that the first one answered without aiohttp."""

    ours: Server
    aiohttps: Server
    plain: list[PlainRequest] = field(default_factory=list)

    async def answers(self, pieces: Sequence[bytes]) -> tuple[bytes, bytes]:
        """Everything that each answers to these pieces, up to the end of the connection."""
        for _ in range(ATTEMPTS):
            ours, ours_reset = await _everything(self.ours.port, pieces)
            before = len(self.plain)
            aiohttps, aiohttps_reset = await _everything(self.aiohttps.port, pieces)
            assert len(self.plain) == before
            if ours == aiohttps or not (ours_reset or aiohttps_reset):
                break
        return ours, aiohttps


@contextlib.asynccontextmanager
async def both_ways(database: TestDatabase, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BothWays]:
    """Start them."""
    settings = database.settings(requests_per_minute=1_000_000, cors_origins=["https://a.example"])
    async with serving(settings) as ours, serving(settings) as aiohttps:
        both = BothWays(ours, aiohttps)
        with _watched(both, monkeypatch):
            yield both


@contextlib.contextmanager
def _watched(both: BothWays, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    read, answer = Dispatcher.read_plain, Dispatcher.answer_plain

    def reading(dispatcher: Dispatcher, data: bytes, client: str | None) -> PlainRequest | None:
        return None if dispatcher._app is both.aiohttps.app else read(dispatcher, data, client)

    def answering(dispatcher: Dispatcher, request: PlainRequest) -> PrebuiltResponse | None:
        response = answer(dispatcher, request)
        if response is not None:
            both.plain.append(request)
        return response

    with monkeypatch.context() as patched:
        patched.setattr(Dispatcher, "read_plain", reading)
        patched.setattr(Dispatcher, "answer_plain", answering)
        yield


class _Reader(asyncio.Protocol):
    """Keeps all that comes, also where the connection is reset in the end."""

    def __init__(self) -> None:
        self.found = bytearray()
        self.lost: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.found += data

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(error is not None)


async def _everything(port: int, pieces: Sequence[bytes]) -> tuple[bytes, bool]:
    """All answers, and whether the connection was reset: some of them may be lost then."""
    transport, reader = await asyncio.get_running_loop().create_connection(_Reader, "127.0.0.1", port)
    for piece in pieces:
        transport.write(piece)
        for _ in range(TURNS):
            await asyncio.sleep(0)
    with contextlib.suppress(OSError):  # closed already
        transport.write_eof()
    try:
        async with asyncio.timeout(20):
            was_reset = await reader.lost
    finally:
        transport.abort()
    return DIFFERS.sub(b"...", bytes(reader.found)), was_reset
