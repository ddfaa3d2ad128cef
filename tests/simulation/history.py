"""What held, and since when."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class History(Generic[T]):
    """The values of one thing, each with the moment since which it held."""

    def __init__(self) -> None:
        self._past: list[tuple[float, T]] = []

    def remember(self, now: float, value: T) -> None:
        """It holds from now on."""
        if not self._past or self._past[-1][1] != value:
            self._past.append((now, value))

    def __bool__(self) -> bool:
        return bool(self._past)

    @property
    def now(self) -> T:
        """What holds now."""
        return self._past[-1][1]

    def held(self, since: float) -> list[T]:
        """What held at some moment since then, the newest first. There may be repetitions."""
        held: list[T] = []
        for began, value in reversed(self._past):
            held.append(value)
            if began <= since:
                break
        return held

    def held_before(self, moment: float) -> bool:
        """Whether anything is known of the time before."""
        return bool(self._past) and self._past[0][0] <= moment
