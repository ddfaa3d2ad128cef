"""What is made of everything on the board, kept: of what did not change nothing is made again.

Very many changes are taken in slices, a turn of the loop each; until then it is not `ready`, and whoever asks waits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable

import msgspec

from service.live.board import SLICE, Board
from service.live.presence import Item


class _Whole:
    """`trips`: whether the round-trip time matters."""

    def __init__(self, board: Board, *, trips: bool) -> None:
        self._board = board
        self._altered = board.altered(trips=trips)
        self._turning = False

    def ready(self) -> bool:
        """Whether it is as of now; if not, it is being made. It stays so until the turn of the loop ends."""
        self._board.catch_up()
        if not self._turning:
            self._turn()
        return not self._altered and not self._board.behind

    def _turn(self) -> None:
        altered, board = self._altered, self._board
        self._turning = False
        for _ in range(min(SLICE, len(altered))):
            extension = altered.pop()
            self._take(extension, board.get(extension))
        if altered:
            self._turning = True
            board.soon(self._turn)

    def _take(self, extension: str, item: Item | None) -> None:
        """An extension's item is another, or there is none any more."""
        raise NotImplementedError


class JsonList(_Whole):
    """All items as a JSON list, in order of their extensions; `render` makes the JSON of one, None for none."""

    def __init__(self, board: Board, render: Callable[[Item], msgspec.Raw | None], *, trips: bool) -> None:
        super().__init__(board, trips=trips)
        self._render = render
        self._parts: dict[str, msgspec.Raw] = {}
        self._order: list[str] = []
        self._joined: bytes | None = None

    def joined(self) -> bytes:
        """All of it, once it is ready."""
        if self._joined is None:
            self._joined = _list(map(self._parts.__getitem__, self._order))
        return self._joined

    def where(self, chosen: Callable[[Item], bool]) -> bytes:
        """Those items for which `chosen` says so."""
        found = ((number, self._board.get(number)) for number in self._order)
        return _list(self._parts[number] for number, item in found if item is not None and chosen(item))

    def _take(self, extension: str, item: Item | None) -> None:
        part = None if item is None else self._render(item)
        self._joined = None
        if part is not None:
            if extension not in self._parts:
                insort(self._order, extension)
            self._parts[extension] = part
        elif self._parts.pop(extension, None) is not None:
            del self._order[bisect_left(self._order, extension)]


def _list(parts: Iterable[msgspec.Raw]) -> bytes:
    return b"[" + b",".join(parts) + b"]"


class Sum(_Whole):
    """The sum of a number for each item, once it is `ready`: a change costs what one item does."""

    def __init__(self, board: Board, number_of: Callable[[Item], int]) -> None:
        super().__init__(board, trips=False)
        self._number_of = number_of
        self._numbers: dict[str, int] = {}
        self.sum = 0

    def _take(self, extension: str, item: Item | None) -> None:
        self.sum -= self._numbers.pop(extension, 0)
        if item is not None:
            self.sum += self._numbers.setdefault(extension, self._number_of(item))
