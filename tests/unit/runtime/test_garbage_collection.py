"""The garbage collector is left with what is new."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from service.runtime import garbage_collection


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.set_threshold(*threshold)
    gc.unfreeze()


class Knot:
    """Refers to itself, so that only the collector can tell that nobody else does."""

    def __init__(self) -> None:
        self.itself = self


def test_what_is_there_is_never_looked_through_again() -> None:
    kept = [Knot() for _ in range(1000)]
    garbage_collection.freeze_startup_objects()
    tracked = gc.get_objects()
    assert all(knot is not other for knot in kept[:10] for other in tracked)
    assert gc.get_freeze_count() > len(kept)


def test_while_it_starts_nothing_is_searched_and_afterwards_it_is_again() -> None:
    searches: list[str] = []

    def searched(phase: str, _: dict[str, int]) -> None:
        searches.append(phase)

    gc.callbacks.append(searched)
    try:
        with garbage_collection.deferred():
            kept = [[Knot()] for _ in range(20_000)]
            assert (len(kept), searches) == (20_000, [])
        assert gc.isenabled()
    finally:
        gc.callbacks.remove(searched)


def test_what_dies_in_a_cycle_before_and_after_goes_all_the_same() -> None:
    before = weakref.ref(Knot())
    garbage_collection.freeze_startup_objects()
    assert before() is None
    later = [weakref.ref(Knot())]
    later += [weakref.ref(knot) for knot in [Knot() for _ in range(2 * garbage_collection.YOUNG_THRESHOLD)]]
    assert later[0]() is None
