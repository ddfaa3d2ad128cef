"""What Asterisk writes to AMI, as far as the snapshot rule needs it, for state machines of hypothesis.

A change happens now, its event joins a queue; the queue is written whenever Asterisk gets to it; a list is written
item by item while further changes happen, and is not interleaved with events.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

LIST_END = "list end"


class AmiWire(RuleBasedStateMachine):
    """`truth` is what holds in Asterisk, `wire` what the link has not read yet. `listing` is what is left of a list."""

    def __init__(self) -> None:
        super().__init__()
        self.truth: dict[Any, Any] = {}
        self.queue: deque[Any] = deque()
        self.wire: deque[Any] = deque()
        self.listing: deque[Any] | None = None
        self.listed: dict[Any, Any] = {}

    @precondition(lambda self: self.queue and self.listing is None)
    @rule(many=st.integers(1, 3))
    def queued_events_are_written(self, many: int) -> None:
        for _ in range(min(many, len(self.queue))):
            self.wire.append(self.queue.popleft())

    @precondition(lambda self: self.listing is not None)
    @rule(many=st.integers(1, 3))
    def some_of_the_list_is_written(self, many: int) -> None:
        assert self.listing is not None
        for _ in range(many):
            if not self.listing:
                self.wire.append((LIST_END, self.listed))
                self.listing = None
                return
            key = self.listing.popleft()
            if key in self.truth:
                self.listed[key] = self.truth[key]
