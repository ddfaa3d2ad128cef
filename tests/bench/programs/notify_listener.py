"""The least that can be done with a notification: a byte for each that comes on the service's channel.

    BENCH_DATABASE_URL=... BENCH_DATABASE_PASSWORD=... python -m tests.bench.programs.notify_listener PORT

Who connected to PORT last gets the bytes.
"""

from __future__ import annotations

import asyncio
import os
import sys

import asyncpg

from service.db.change_listener import CHANNEL
from service.runtime import event_loop
from tests.bench.rig.processes import emit


async def main(port: int) -> None:
    """Listen until killed."""
    clients: list[asyncio.StreamWriter] = []

    async def welcome(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        clients[:] = [writer]

    def heard(_connection: object, _pid: int, _channel: str, payload: object) -> None:
        if str(payload).startswith("token "):
            for client in clients:
                client.write(b".")

    connection = await asyncpg.connect(os.environ["BENCH_DATABASE_URL"], password=os.environ["BENCH_DATABASE_PASSWORD"])
    await connection.add_listener(CHANNEL, heard)
    await asyncio.start_server(welcome, "127.0.0.1", port)
    emit(ready=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=event_loop.factory()) as one:
        one.run(main(int(sys.argv[1])))
