"""Revokes tokens, one after the other, and measures until it takes effect.

    BENCH_DATABASE_URL=... BENCH_DATABASE_PASSWORD=... python -m tests.bench.programs.revoker ASKED PORT LISTENER

ASKED is a file of polls, each with a token of its own. Half of the tokens are deleted while the service on PORT is
polled with them, until it refuses; the other half until the program on port LISTENER says that it heard of it.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
import time
from hashlib import sha256
from pathlib import Path

import asyncpg

from tests.bench.rig.processes import BenchError, emit
from tests.bench.rig.request_file import LoadRequest, read

REST = 0.02
"""Seconds between two."""
READ = 1 << 16


def status(line: socket.socket, ask: LoadRequest) -> int:
    """Poll once."""
    line.sendall(ask.raw())
    head = b""
    while b"\r\n\r\n" not in head:
        head += line.recv(READ)
    head, _, body = head.partition(b"\r\n\r\n")
    length = next(each for each in head.lower().split(b"\r\n") if each.startswith(b"content-length:"))
    while len(body) < int(length.partition(b":")[2]):
        body += line.recv(READ)
    return int(head.split(b" ", 2)[1])


async def main(asked: list[LoadRequest], port: int, listener: int) -> None:
    connection = await asyncpg.connect(os.environ["BENCH_DATABASE_URL"], password=os.environ["BENCH_DATABASE_PASSWORD"])
    service, heard = (socket.create_connection(("127.0.0.1", one)) for one in (port, listener))
    for line in (service, heard):
        line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    refused, told = [], []
    for number, ask in enumerate(asked):
        if status(service, ask) != 200:
            raise BenchError("a token was refused before it was revoked")
        hash_ = sha256(ask.headers["X-Auth-Token"].encode()).digest()
        await asyncio.sleep(REST)
        began = time.monotonic()
        await connection.execute("delete from tokens where token_hash = $1", hash_)
        if number % 2:
            while status(service, ask) == 200:
                pass
            refused.append(time.monotonic() - began)
            heard.recv(1)
        else:
            heard.recv(1)
            told.append(time.monotonic() - began)
    emit(refused=refused, told=told)


if __name__ == "__main__":
    asyncio.run(main(read(Path(sys.argv[1])), *map(int, sys.argv[2:])))
