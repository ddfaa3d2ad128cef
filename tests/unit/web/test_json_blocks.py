"""A list that is joined block by block is the list of its parts in order."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.web.presence import json_blocks
from service.web.presence.json_blocks import JsonBlocks

KEYS = st.integers(0, 30).map(str)


@pytest.fixture(autouse=True, scope="module")
def _small() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_blocks, "BLOCK_SIZE", 2)
        yield


@given(st.lists(st.one_of(st.tuples(KEYS, st.integers(0, 9)), st.tuples(KEYS, st.none()), st.integers(0, 3))))
def test_whatever_comes_and_goes_the_list_is_in_order(steps: list[tuple[str, int | None] | int]) -> None:
    made, truth = JsonBlocks(), dict[str, int]()
    for step in steps:
        if isinstance(step, int):
            done = made.join_some(step)
            assert done or step < len(truth)
            continue
        key, value = step
        if value is None:
            truth.pop(key, None)
            made.remove(key)
        else:
            truth[key] = value
            made.put(key, msgspec.Raw(str(value).encode()))
        assert len(made) == len(truth)
        if (value or 0) % 2:
            assert msgspec.json.decode(made.whole()) == [truth[each] for each in sorted(truth)]
    assert list(made) == sorted(truth)
    assert msgspec.json.decode(made.whole()) == [truth[each] for each in sorted(truth)]
    assert msgspec.json.decode(made.select(["3", "1"] if {"3", "1"} <= truth.keys() else [])) in (
        [],
        [truth.get("3"), truth.get("1")],
    )
