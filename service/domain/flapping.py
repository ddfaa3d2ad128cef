"""Extensions that lose their registration again and again. Pure."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable

LOSSES, WINDOW = 5, 3600.0
"""An extension flaps if it lost its registration so often within so many seconds."""


class Flapping:
    """Remembers the last losses of each extension. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._losses: dict[str, tuple[str, deque[float]]] = {}

    def lost(self, call_server: str, extension: str) -> None:
        """Note that an extension lost its last registration."""
        _, losses = self._losses.setdefault(extension, (call_server, deque(maxlen=LOSSES)))
        losses.append(self._clock())

    def forget(self, extension: str) -> None:
        """Forget an extension that was deleted."""
        self._losses.pop(extension, None)

    def flaps(self, extension: str) -> bool:
        """Whether the extension flaps now."""
        _, losses = self._losses.get(extension, ("", deque[float]()))
        return len(losses) == LOSSES and losses[0] > self._clock() - WINDOW

    def count(self) -> Counter[str]:
        """Count the extensions that flap, by call server. Forgets losses that are too old."""
        now, counts = self._clock(), Counter[str]()
        for extension, (call_server, losses) in list(self._losses.items()):
            if losses[-1] <= now - WINDOW:
                del self._losses[extension]
            else:
                counts[call_server] += len(losses) == LOSSES and losses[0] > now - WINDOW
        return counts
