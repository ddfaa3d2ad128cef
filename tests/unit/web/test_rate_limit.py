"""Counting in fixed windows."""

from __future__ import annotations

from service.web.http.rate_limit import FixedWindow


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_so_many_pass_and_the_next_one_is_told_how_long_to_wait() -> None:
    clock = Clock()
    window = FixedWindow(2, 60, clock)
    assert window.hit(b"a") == 0
    clock.now += 20
    assert window.hit(b"a") == 0
    assert window.hit(b"a") == 40
    assert window.hit(b"b") == 0


def test_whoever_comes_when_told_is_let_in() -> None:
    clock = Clock()
    window = FixedWindow(1, 60, clock)
    window.hit(b"a")
    clock.now += window.hit(b"a")
    assert window.hit(b"a") == 0
    assert window.hit(b"a") == 60


def test_what_was_refused_counts_only_within_its_window() -> None:
    clock = Clock()
    window = FixedWindow(1, 1, clock)
    assert [window.hit(b"a") > 0 for _ in range(100)] == [False] + [True] * 99
    clock.now += 1
    assert window.hit(b"a") == 0
