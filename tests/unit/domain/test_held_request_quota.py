"""Answers that are held: a bound for each person, one in all, and nothing that is left behind."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.held_request_quota import HeldRequestQuota
from service.errors import Overloaded

OF_ONE, IN_ALL = 2, 5


@dataclass(eq=False)
class Answer:
    """One that is held; it takes its time to end."""

    user_id: int
    told: bool = False

    def end(self) -> None:
        self.told = True


@given(st.lists(st.one_of(st.sampled_from([1, 2, 3]), st.integers(-5, 0)), max_size=60))
def test_each_person_holds_the_newest_few_and_the_counts_are_right(steps: list[int]) -> None:
    """A step is somebody who begins one, or which of the open ones ends."""
    held, still_open = HeldRequestQuota(OF_ONE, IN_ALL), list[Answer]()
    for step in steps:
        if step > 0 and len(still_open) == IN_ALL:
            with pytest.raises(Overloaded):
                held.begin(step, Answer(step).end)
        elif step > 0:
            still_open.append(Answer(step))
            held.begin(step, still_open[-1].end)
        elif still_open:
            over = still_open.pop(step % len(still_open))
            held.end(over.user_id, over.end)
        assert len(held) == len(still_open)
        for user_id in (1, 2, 3):
            theirs = [answer for answer in still_open if answer.user_id == user_id]
            left = [answer for answer in theirs if not answer.told]
            assert held.count(user_id) == len(left) <= OF_ONE
            assert left == theirs[len(theirs) - len(left) :], "the oldest were told to end"
