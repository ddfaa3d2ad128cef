"""Parses what the service writes: responses, and the events of a stream, as they become complete."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

BODILESS = (204, 304)


@dataclass
class Answer:
    """A response; the head of one, if it is a stream."""

    status: int
    headers: dict[str, str]
    """By names in lower case."""
    body: bytes = b""
    streamed: bool = False

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Event:
    """A server-sent event; a comment has no name."""

    name: str = ""
    id: str | None = None
    data: Any = None


@dataclass
class End:
    """The regular end of a streamed response."""


Message = Answer | Event | End


@dataclass
class Parser:
    """Calls `take` with each message of one connection."""

    take: Callable[[Message], None]
    _buffer: bytearray = field(default_factory=bytearray)
    _answer: Answer | None = None
    _missing: int = 0
    _events: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> None:
        """Bytes that were written. Raises ValueError if they are no HTTP."""
        self._buffer += data
        while self._step():
            pass

    @property
    def is_complete(self) -> bool:
        """Whether no response is under way."""
        return self._answer is None and not self._buffer

    def _step(self) -> bool:
        if self._answer is None:
            return self._read_head()
        if self._answer.streamed:
            return self._read_chunk()
        if len(self._buffer) < self._missing:
            return False
        answer, self._answer = self._answer, None
        answer.body = bytes(self._buffer[: self._missing])
        del self._buffer[: self._missing]
        self.take(answer)
        return True

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return False
        first, *lines = bytes(self._buffer[:end]).decode().split("\r\n")
        del self._buffer[: end + 4]
        version, status, _ = (*first.split(" ", 2), "")[:3]
        if version not in ("HTTP/1.0", "HTTP/1.1"):
            raise ValueError(f"no HTTP: {first[:80]}")
        answer = Answer(int(status), {})
        for line in lines:
            name, colon, value = line.partition(": ")
            if not colon or name.lower() in answer.headers:
                raise ValueError(f"a header is no header, or comes twice: {line[:80]}")
            answer.headers[name.lower()] = value
        if answer.status < 200:
            return True
        answer.streamed = "transfer-encoding" in answer.headers
        self._missing = 0 if answer.status in BODILESS else int(answer.headers.get("content-length", "0"))
        self._answer = answer
        if answer.streamed:
            self.take(answer)
        return True

    def _read_chunk(self) -> bool:
        end = self._buffer.find(b"\r\n")
        size = int(bytes(self._buffer[:end]), 16) if end >= 0 else 0
        if end < 0 or len(self._buffer) < end + size + 4:
            return False
        chunk = bytes(self._buffer[end + 2 : end + 2 + size])
        del self._buffer[: end + size + 4]
        if not size:
            self._answer = None
            self.take(End())
            return True
        self._events += chunk
        while (end := self._events.find(b"\n\n")) >= 0:
            text = bytes(self._events[:end]).decode()
            del self._events[: end + 2]
            self.take(_event(text))
        return True


def _event(text: str) -> Event:
    event = Event()
    for line in text.split("\n"):
        name, _, value = line.partition(": ")
        if name == "event":
            event.name = value
        elif name == "id":
            event.id = value
        elif name == "data":
            event.data = json.loads(value)
        elif name != "retry" and not line.startswith(":"):
            raise ValueError(f"no line of an event: {line[:80]}")
    return event
