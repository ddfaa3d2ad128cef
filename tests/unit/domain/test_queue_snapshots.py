"""The snapshot rule for what comes and goes by events alone: members and callers, under every interleaving.

The true Asterisk is modelled as in `test_snapshot_rule`. Here an event may also say that something went, and one whose
change the list has already may follow even the Pong, as it took its time inside Asterisk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from service.domain.snapshot_map import SnapshotMap
from tests.support.ami_wire import AmiWire

KEYS = st.sampled_from([("sales", "1"), ("sales", "2"), ("support", "1")])
VALUES = st.one_of(st.none(), st.integers(0, 2))
PONG, RELOAD = "pong", ("reload", None)


class Interleavings(AmiWire):
    """Asterisk, the wire, and the link that reads it. The map under test is `kind`."""

    kind: type[SnapshotMap[Any, int]] = SnapshotMap

    def __init__(self) -> None:
        super().__init__()
        self.flying: deque[Any] = deque()  # on its way inside Asterisk: not queued at the AMI yet
        self.asked = self.stale = False
        self.map = self.kind()
        self._ask()

    @rule(key=KEYS, value=VALUES)
    def something_comes_changes_or_goes(self, key: Any, value: int | None) -> None:
        if value is None:
            self.truth.pop(key, None)
        else:
            self.truth[key] = value
        self.flying.append((key, value))

    @rule(key=KEYS)
    def something_goes_without_a_word(self, key: Any) -> None:
        self.truth.pop(key, None)
        self.flying.append(RELOAD)

    @precondition(lambda self: self.flying)
    @rule()
    def an_event_is_queued(self) -> None:
        self.queue.append(self.flying.popleft())

    @precondition(lambda self: self.stale and not self.asked)
    @rule()
    def the_link_asks_again(self) -> None:
        self._ask()

    def _ask(self) -> None:
        self.asked, self.stale = True, False
        self.map.begin_snapshot()
        self.listing, self.listed = deque([("sales", "1"), ("sales", "2"), ("support", "1")]), {}

    @precondition(lambda self: self.wire)
    @rule(many=st.integers(1, 3))
    def the_link_reads(self, many: int) -> None:
        for _ in range(min(many, len(self.wire))):
            match self.wire.popleft():
                case ("list end", dict() as listed):
                    self.wire.extend(self.queue)  # it asks for a Pong now; all that is queued comes before it
                    self.queue.clear()
                    self.wire.append((PONG, listed))
                case ("pong", listed):
                    self.map.end_snapshot(listed)
                    self.asked = False
                case ("reload", None):
                    self.stale = True
                case (key, value):
                    self.map.apply(key, value)

    @rule()
    def the_line_is_cut_and_made_again(self) -> None:
        self.map.lost()
        assert not self.map
        self.wire.clear()
        self.queue.clear()
        self._ask()

    @rule()
    def once_all_is_read_the_map_is_the_truth(self) -> None:
        while self.wire or self.flying or self.queue or self.listing is not None or self.asked or self.stale:
            if self.wire:
                self.the_link_reads(1)
            elif self.listing is not None:
                self.some_of_the_list_is_written(1)
            elif self.queue:
                self.queued_events_are_written(1)
            elif self.flying:
                self.an_event_is_queued()
            else:
                self.the_link_asks_again()
        assert dict(self.map.items()) == self.truth


class Adding(SnapshotMap[Any, int]):
    """Naive: what is known already stays."""

    def end_snapshot(self, snapshot: Mapping[Any, int]) -> None:
        super().end_snapshot({**snapshot, **self._values})


def interleaved(kind: type[SnapshotMap[Any, int]], **values: Any) -> None:
    machine = type(kind.__name__, (Interleavings,), {"kind": kind})
    run_state_machine_as_test(machine, settings=settings(deadline=None, database=None, **values))


def test_the_rule_ends_at_the_truth_under_every_interleaving() -> None:
    interleaved(SnapshotMap, max_examples=200, stateful_step_count=40)


def test_a_naive_rule_fails_the_same_property() -> None:
    """So the property can fail at all."""
    with pytest.raises(AssertionError):
        interleaved(Adding, max_examples=2000, stateful_step_count=40, phases=[Phase.generate], derandomize=True)


def test_what_an_event_told_in_the_window_wins_over_the_list() -> None:
    followed = SnapshotMap[str, int]()
    followed.apply("changed", 1)
    followed.begin_snapshot()
    followed.apply("changed", 2)
    followed.apply("came", 1)
    followed.apply("went", None)
    followed.end_snapshot({"changed": 1, "went": 1, "listed": 1})
    assert dict(followed.items()) == {"changed": 2, "came": 1, "listed": 1}


def test_what_was_told_before_the_window_is_the_lists() -> None:
    followed = SnapshotMap[str, int]()
    followed.apply("changed", 2)
    followed.apply("gone", 1)
    followed.begin_snapshot()
    followed.end_snapshot({"changed": 1})
    assert dict(followed.items()) == {"changed": 1}
