"""The service manager's end of `NOTIFY_SOCKET`: a real datagram socket, as systemd's is."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.eventually import eventually


class Notifications:
    """What a service has sent, in order, one text per datagram."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        self._socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self._received: list[str] = []

    def received(self) -> list[str]:
        """Everything until now."""
        while True:
            try:
                self._received.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return self._received

    def states(self) -> list[str]:
        """The first variable of each, without signs of life."""
        return [text.partition("\n")[0].partition("=")[0] for text in self.received() if text != "WATCHDOG=1"]

    def signs(self) -> int:
        """Signs of life until now."""
        return Counter(self.received())["WATCHDOG=1"]

    async def says(self, *states: str, **options: Any) -> None:
        """Wait until exactly these were sent."""
        await eventually(lambda: self.states() == [*states], what=f"{states}, not {self.states()}", **options)

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def notifications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Notifications]:
    """A service that is started in the test notifies this."""
    made = Notifications(str(tmp_path / "notify"))
    monkeypatch.setenv("NOTIFY_SOCKET", made.address)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    yield made
    made.close()
