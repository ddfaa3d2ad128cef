"""The nonces that a follower has sent, and when: an echo proves freshness by the follower's own clock alone."""

from __future__ import annotations

from collections.abc import Callable

MAX_NONCES = 32
"""The newest ones that are remembered. An older echo proves nothing that still counts."""


class Nonces:
    """The nonces of one follower."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._sent: dict[int, float] = {}
        self._newest = 0
        self._due_at = float("-inf")

    def next(self, interval: float) -> int | None:
        """Return the nonce to send now, or None if `interval` seconds have not passed since the last such one."""
        now = self._clock()
        if interval and now < self._due_at:
            return None
        self._due_at = now + interval if interval else self._due_at
        self._newest += 1
        self._sent[self._newest] = now
        self._sent.pop(self._newest - MAX_NONCES, None)
        return self._newest

    def sent_at(self, nonce: int) -> float | None:
        """Return when a nonce was sent; None if it was not, or too long ago."""
        return self._sent.get(nonce)
