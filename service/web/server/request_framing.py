"""Finds where a request ends, so that a connection knows when aiohttp has nothing of it left.

It decides nothing else: aiohttp parses the same bytes and answers. Of a head that does not say in one plain way how
long its body is, it says that it does not know.
"""

from __future__ import annotations

import re

_HEAD = re.compile(
    rb"(?:\r\n)*+(?!CONNECT )[A-Z]++ [!-~\x80-\xff]++ HTTP/1\.[01]\r\n"
    rb"((?:[A-Za-z0-9!#$%&'*+.^_`|~-]++:[^\r\n\0]*+\r\n)*+)\r\n"
)
_FRAMING = re.compile(rb"(?im)^(content-length|transfer-encoding|upgrade):[ \t]*([^\r]*?)[ \t]*\r$")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_END = b"\r\n\r\n"


class RequestFraming:
    """Follows the bytes of one request after the other."""

    __slots__ = ("_head", "_missing", "head_whole", "lost", "whole")

    def __init__(self) -> None:
        self.lost = False
        """Whether it is unknown where a request ends. Stays so."""
        self.head_whole = False
        self.whole = False
        """Whether the request has arrived whole. Then call `begin_next`."""
        self._head = bytearray()
        self._missing = 0

    def begin_next(self) -> None:
        """The request has ended; expect another one."""
        self.head_whole = self.whole = False

    def lose(self) -> None:
        """Take the end of requests for unknown from now on."""
        self.lost, self.whole = True, False
        self._head.clear()

    def take(self, data: bytes) -> int:
        """Follow these bytes. Returns how many belong to the request; all of them if that is unknown."""
        if self.lost:
            return len(data)
        taken = 0 if self.head_whole else self._take_head(data)
        if self.head_whole:
            of_body = min(self._missing, len(data) - taken)
            self._missing -= of_body
            taken += of_body
            self.whole = not self._missing
        return taken

    def _take_head(self, data: bytes) -> int:
        head, before = self._head, len(self._head)
        head += data
        end = head.find(_END, max(0, before - len(_END) + 1))
        if end < 0:
            return len(data)
        end += len(_END)
        size = _body_size(bytes(head[:end]))
        if size is None:
            self.lose()
            return len(data)
        head.clear()
        self._missing, self.head_whole = size, True
        return end - before


def _body_size(head: bytes) -> int | None:
    """The size of the body behind a head; None if it is unknown."""
    plain = _HEAD.fullmatch(head)
    if plain is None:
        return None
    found: list[tuple[bytes, bytes]] = _FRAMING.findall(plain[1])
    if not found:
        return 0
    (name, value), *others = found
    return int(value) if not others and name.lower() == b"content-length" and _LENGTH.fullmatch(value) else None
