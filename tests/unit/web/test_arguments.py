"""Arguments: where they may come from, what they may be, and what is told when they are wrong."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.web.http.arguments import NotEmpty, parsed
from service.web.http.errors import BadArgument
from service.web.http.numbers import LARGEST, decimal


class Asked(msgspec.Struct, frozen=True, rename="camel"):
    type: Literal["free", "allocated"]
    extension: NotEmpty = "none"
    user_id: str | None = None
    queues: list[str] = []
    count: int = 50


FREE = {"type": ["free"]}


def test_what_may_be_left_out_has_its_default() -> None:
    assert parsed(Asked, FREE, {}) == Asked(type="free")


def test_query_and_body_are_one() -> None:
    query = {**FREE, "queues[]": ["a"], "queues": ["b"]}
    object_ = {"type": "free", "userId": "u", "count": 7, "queues": ["a", "b"], "more": 1}
    assert parsed(Asked, query, object_) == Asked("free", user_id="u", queues=["a", "b"], count=7)


def test_null_is_nothing_where_nothing_will_do() -> None:
    assert parsed(Asked, FREE, {"userId": None, "count": None, "queues": None}) == Asked(type="free")


@pytest.mark.parametrize("empty", [{"queues[]": [""]}, {"queues": ["", ""]}])
def test_a_list_of_nothing_is_none(empty: dict[str, list[str]]) -> None:
    assert parsed(Asked, {**FREE, **empty}, {}) == Asked(type="free")
    assert parsed(Asked, FREE, {"queues": ["", "a", ""]}).queues == ["a"]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0.0),
        ("20", 20.0),
        ("0.25", 0.25),
        ("007", 7.0),
        ("9" * 5000, float("inf")),
        ("1e1", 10.0),
        ("5E-1", 0.5),
        ("1e-999", 0.0),
    ],
)
def test_seconds_may_have_a_point_and_an_exponent(text: str, number: float) -> None:
    assert decimal(text) == number


@settings(deadline=None)
@given(st.text(st.one_of(st.sampled_from("0123456789.+-_eEx ,٣９²½"), st.characters()), max_size=8))
def test_only_ascii_digits_make_a_number(text: str) -> None:
    assert (decimal(text) is not None) is bool(re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?", text))


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("007", 7), ("9" * 30, LARGEST), ("0" * 9000 + "1", 1), (str(LARGEST), LARGEST)],
)
def test_whole_numbers_have_a_largest(text: str, number: int) -> None:
    assert parsed(Asked, {**FREE, "count": [text]}, {}).count == number


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "1e3", "NaN", "abc", " 1", "²", "٣"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(BadArgument, match="Expected a whole number of 0 or more in field count"):
        parsed(Asked, {**FREE, "count": [value]}, {})


@pytest.mark.parametrize(
    ("query", "object_", "told"),
    [
        ({}, {}, "Missing key 'type'"),
        ({"type": ["x"]}, {}, "Expected one of free, allocated in field type"),
        ({"type": ["free", "free"]}, {}, "Key 'type' is given more than once"),
        (FREE, {"type": "allocated"}, "Key 'type' differs between query and body"),
        ({}, {"type": None}, "Expected string, got null in field type"),
        ({}, {"type": ["free"]}, "Expected string, got array in field type"),
        ({**FREE, "extension": [""]}, {}, "Expected non-empty string in field extension"),
        (FREE, {"userId": 1}, "Expected string, got number in field userId"),
        (FREE, {"queues": "a"}, "Expected array, got string in field queues"),
        (FREE, {"queues": ["a", 1]}, "Expected string, got number in field queues[1]"),
        (FREE, {"count": True}, "Expected a whole number of 0 or more in field count"),
        (FREE, {"count": -1}, "Expected a whole number of 0 or more in field count"),
        (FREE, {"count": 1.5}, "Expected a whole number of 0 or more in field count"),
    ],
)
def test_what_is_wrong_is_named(query: dict[str, list[str]], object_: dict[str, Any], told: str) -> None:
    with pytest.raises(BadArgument) as caught:
        parsed(Asked, query, object_)
    assert str(caught.value) == told
