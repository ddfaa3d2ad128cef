"""Polls at a pace, each delay counted from the moment at which the poll was due.

    python -m tests.bench.programs.paced_polls PORT PER_SECOND SECONDS ASKED [CONNECTIONS]

A closed loop would poll less while the server is slow, and so not see it (coordinated omission). ASKED is a file of
requests.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from statistics import quantiles

from tests.bench.rig.processes import emit, raise_file_limit
from tests.bench.rig.request_file import read

CONNECTIONS = 20


async def main(port: int, per_second: int, seconds: int, asked: list[bytes], connections: int) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time() + 0.1
    delays: list[float] = []

    async def client(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for turn in range(per_second * seconds // connections):
            due = began + (turn * connections + number) / per_second
            await asyncio.sleep(due - loop.time())
            writer.write(asked[(turn * connections + number) % len(asked)])
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            assert head.startswith(b"HTTP/1.1 200 "), head
            delays.append(loop.time() - due)
        writer.close()

    await asyncio.gather(*(client(number) for number in range(connections)))
    cuts = quantiles(delays, n=100)
    emit(p50=cuts[49], p99=cuts[98])


if __name__ == "__main__":
    requests = [ask.raw() for ask in read(Path(sys.argv[4]))]
    raise_file_limit()
    connections = int(sys.argv[5]) if len(sys.argv) > 5 else CONNECTIONS
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), requests, connections))
