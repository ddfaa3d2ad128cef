"""AMI at its barest: a blocking socket, for what a measurement sends, reads and records."""

from __future__ import annotations

import socket
from typing import Self

from tests.bench.rig.processes import BenchError

READ = 1 << 18


class Ami:
    """A connection that is logged in, and has read all that came before the answer to its login."""

    def __init__(self, port: int, username: str, secret: str, *, timeout: float = 60.0) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        self.send(f"Action: Login\r\nUsername: {username}\r\nSecret: {secret}\r\n\r\n")
        if b"Success" not in self.read_until(b"Message: Authentication "):
            raise BenchError(f"AMI refuses the account {username}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, text: str) -> None:
        self.socket.sendall(text.encode())

    def read(self) -> bytes:
        """Whatever is there, at least one byte. Raises BenchError at the end of the line."""
        data = self.socket.recv(READ)
        if not data:
            raise BenchError("Asterisk closed the AMI connection")
        return data

    def read_until(self, mark: bytes) -> bytes:
        """All that comes until `mark`, with what came in the same read after it."""
        parts, tail = [], b""
        while mark not in tail:
            data = self.read()
            parts.append(data)
            tail = tail[-len(mark) :] + data
        return b"".join(parts)
