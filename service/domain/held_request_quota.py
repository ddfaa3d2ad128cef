"""How many answers of one kind that take long (streams, long-polls) are held, per person and in all. Synchronous."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class HeldRequestQuota:
    """Where a person begins one too many, their oldest ends: a phone that reconnects is never locked out.

    Beyond `most_in_all` nobody's ends for somebody else's: the new one is refused.
    """

    def __init__(self, most_of_one: int, most_in_all: int) -> None:
        self._most_of_one = most_of_one
        self._most_in_all = most_in_all
        self._held: dict[int, dict[Callable[[], None], None]] = {}
        self._in_all = 0

    def __len__(self) -> int:
        return self._in_all

    def of(self, user_id: int) -> int:
        """How many a person has, without those that were told to end."""
        return len(self._held.get(user_id, ()))

    def begin(self, user_id: int, ended: Callable[[], None]) -> None:
        """Hold one more; `ended` is called when it has to end. Raises Overloaded."""
        if self._in_all >= self._most_in_all:
            raise Overloaded("too many streams or long-polls are open")
        self._in_all += 1
        held = self._held.setdefault(user_id, {})
        held[ended] = None
        if len(held) > self._most_of_one:
            oldest = next(iter(held))
            del held[oldest]
            oldest()

    def end(self, user_id: int, ended: Callable[[], None]) -> None:
        """It is over."""
        self._in_all -= 1
        held = self._held.get(user_id)
        if held is not None:
            held.pop(ended, None)
            if not held:
                del self._held[user_id]

    @contextmanager
    def holding(self, user_id: int, ended: Callable[[], None]) -> Iterator[None]:
        """Hold it while the block lasts. Raises Overloaded."""
        self.begin(user_id, ended)
        try:
            yield
        finally:
            self.end(user_id, ended)
