"""Limits the held requests of one kind (streams or long-polls), per person and in total. Synchronous."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class HeldRequestQuota:
    """Above a person's limit their oldest request ends, so that a phone that reconnects is never locked out.

    Above the total limit a new request is refused, as no person's request may end for another's.
    """

    def __init__(self, max_per_person: int, max_total: int) -> None:
        self._max_per_person = max_per_person
        self._max_total = max_total
        self._held: dict[int, dict[Callable[[], None], None]] = {}
        self._total = 0

    def __len__(self) -> int:
        return self._total

    def count(self, user_id: int) -> int:
        """Return the number of a person's requests, without those that were asked to end."""
        return len(self._held.get(user_id, ()))

    def begin(self, user_id: int, ended: Callable[[], None]) -> None:
        """Add a request; `ended` is called when it has to end. Raises Overloaded."""
        if self._total >= self._max_total:
            raise Overloaded("too many streams or long-polls are open")
        self._total += 1
        held = self._held.setdefault(user_id, {})
        held[ended] = None
        if len(held) > self._max_per_person:
            oldest = next(iter(held))
            del held[oldest]
            oldest()

    def end(self, user_id: int, ended: Callable[[], None]) -> None:
        """Remove a request that has ended."""
        self._total -= 1
        held = self._held.get(user_id)
        if held is not None:
            held.pop(ended, None)
            if not held:
                del self._held[user_id]

    @contextmanager
    def holding(self, user_id: int, ended: Callable[[], None]) -> Iterator[None]:
        """Count a request while the block lasts. Raises Overloaded."""
        self.begin(user_id, ended)
        try:
            yield
        finally:
            self.end(user_id, ended)
