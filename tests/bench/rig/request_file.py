"""What is asked, as a file that every load generator here reads: a line per request, taken in turn.

A line is a path and headers, separated by tabs. Many softphones ask, each with its own token, as tokens are limited.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class LoadRequest:
    """One request."""

    path: str
    headers: Mapping[str, str] = field(default_factory=dict)

    def raw(self) -> bytes:
        """The request on the wire."""
        lines = [f"GET {self.path} HTTP/1.1", "Host: 127.0.0.1", *self._header_lines(), "", ""]
        return "\r\n".join(lines).encode()

    def line(self) -> str:
        """As a line of the file."""
        return "\t".join([self.path, *self._header_lines()])

    def _header_lines(self) -> list[str]:
        return [f"{name}: {value}" for name, value in self.headers.items()]


def write(file: Path, asked: Iterable[LoadRequest]) -> Path:
    """Write the file; answers its path."""
    file.write_text("".join(f"{ask.line()}\n" for ask in asked))
    return file


def read(file: Path) -> list[LoadRequest]:
    """What `write` wrote."""
    parts = (line.split("\t") for line in file.read_text().splitlines())
    return [LoadRequest(path, dict(header.split(": ", 1) for header in headers)) for path, *headers in parts]
