"""Reads many streams with bare sockets, and says when each change came.

    python -m tests.bench.programs.stream_reader PORT ASKED SECONDS RECORDED

Opens a stream for each line of ASKED and tells so when each has its picture. Then it reads for so many SECONDS and
tells the bytes that came, and of the first RECORDED streams each change: [extension, state, nanoseconds of the
monotonic clock].
"""

from __future__ import annotations

import re
import select
import socket
import sys
import time
from pathlib import Path

from tests.bench.rig.processes import BenchError, emit, raise_file_limit
from tests.bench.rig.request_file import LoadRequest, read

READ = 1 << 18
AT_ONCE = 50
"""Streams that are opened at a time."""
CHANGE = re.compile(rb'"extension":"([^"]+)"[^}]*?"state":"([^"]+)"')


class Reader:
    """One open stream."""

    def __init__(self, port: int, ask: LoadRequest) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self.socket.sendall(ask.raw())
        self.chunks: list[tuple[int, bytes]] = []
        self.received = 0

    def picture(self) -> None:
        """Read the whole picture: the first event."""
        tail, there = b"", False
        while not there or not tail.endswith(b"\n\n\r\n"):
            data = self.socket.recv(READ)
            if not data:
                raise BenchError(f"no stream: {tail[:200]!r}")
            tail = tail[-200:] + data
            there = there or b"event: snapshot" in tail
        self.socket.setblocking(False)

    def changes(self) -> list[tuple[str, str, int]]:
        """What the chunks say, each with the time of the chunk that completed it."""
        ends, length = [], 0
        for at, data in self.chunks:
            length += len(data)
            ends.append((length, at))
        found, index = [], 0
        for match in CHANGE.finditer(b"".join(data for _, data in self.chunks)):
            while ends[index][0] < match.end():
                index += 1
            found.append((match[1].decode(), match[2].decode(), ends[index][1]))
        return found


def main(port: int, asked: list[LoadRequest], seconds: float, recorded: int) -> None:
    raise_file_limit()
    readers: list[Reader] = []
    for first in range(0, len(asked), AT_ONCE):
        opened = [Reader(port, ask) for ask in asked[first : first + AT_ONCE]]
        for one in opened:
            one.picture()
        readers += opened
    poll = select.epoll()
    numbers = {}
    for index, one in enumerate(readers):
        numbers[one.socket.fileno()] = one, index < recorded
        poll.register(one.socket.fileno(), select.EPOLLIN)
    emit(open=len(readers))
    ends = time.monotonic() + seconds
    while (left := ends - time.monotonic()) > 0:
        for number, _ in poll.poll(left):
            one, keep = numbers[number]
            data = one.socket.recv(READ)
            if not data:
                raise BenchError("a stream ended")
            one.received += len(data)
            if keep:
                one.chunks.append((time.monotonic_ns(), data))
    changes = [change for one in readers[:recorded] for change in one.changes()]
    emit(received=sum(one.received for one in readers), changes=changes)


if __name__ == "__main__":
    main(int(sys.argv[1]), read(Path(sys.argv[2])), float(sys.argv[3]), int(sys.argv[4]))
