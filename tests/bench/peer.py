"""A scripted AMI server, for what a real one cannot be made to do: say the same bytes twice, or at a known moment."""

from __future__ import annotations

import re
import socket
import threading
from typing import Self

FULLY_BOOTED = b"Event: FullyBooted\r\nPrivilege: system,all\r\nStatus: Fully Booted\r\n\r\n"


class Peer:
    """Serves one client, in a thread: lets it in, has booted, has nothing to list, answers pings."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._client: socket.socket | None = None
        self._writing = threading.Lock()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        if self._client is not None:
            self._client.close()

    def say(self, data: bytes) -> None:
        """Send whole messages."""
        assert self._client is not None
        with self._writing:
            self._client.sendall(data)

    def _serve(self) -> None:
        self._client, _ = self._listener.accept()
        self._client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.say(b"Asterisk Call Manager/11.0.0\r\n")
        rest = b""
        try:
            while data := self._client.recv(65536):
                *actions, rest = (rest + data).split(b"\r\n\r\n")
                for action in actions:
                    self.say(_answer(action))
        except OSError:
            pass  # one of us has closed it


def _answer(action: bytes) -> bytes:
    found = re.search(rb"^Action: (\w+)", action, re.MULTILINE | re.IGNORECASE)
    id_ = re.search(rb"^ActionID: (\S+)", action, re.MULTILINE | re.IGNORECASE)
    line = b"ActionID: " + id_[1] + b"\r\n" if id_ else b""
    answer = b"Response: Success\r\n" + line
    match found[1].lower() if found else b"":
        case b"login":
            return answer + b"Message: Authentication accepted\r\n\r\n" + FULLY_BOOTED
        case name if name.endswith(b"list"):
            end = b"Event: ListComplete\r\n" + line + b"EventList: Complete\r\nListItems: 0\r\n\r\n"
            return answer + b"EventList: start\r\nMessage: A list will follow\r\n\r\n" + end
        case b"ping":
            return answer + b"Ping: Pong\r\n\r\n"
        case _:
            return answer + b"\r\n"
