"""Parameters: where they may come from, what they may be, and the text of each error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Meta
from multidict import MultiDict

from service.web.http.errors import BadArgument, FieldsWrong
from service.web.http.numbers import LARGEST, decimal
from service.web.http.param_errors import BriefRocketChat, FieldByField, RocketChat
from service.web.http.params import Body, Query, QueryOrJson


class Asked(msgspec.Struct, frozen=True, rename="camel"):
    type: Literal["free", "allocated"]
    extension: Annotated[str, Meta(min_length=1)] = "none"
    user_id: str | None = None
    queues: list[str] = []
    count: int = 50


FREE = {"type": ["free"]}
TEXT = "this text cannot be stored"
ASKED = QueryOrJson(Asked, RocketChat)


def parsed(query: Mapping[str, list[str]], object_: Mapping[str, Any]) -> Asked:
    return ASKED.decode_parsed(MultiDict((name, value) for name, values in query.items() for value in values), object_)


def test_what_may_be_left_out_has_its_default() -> None:
    assert parsed(FREE, {}) == Asked(type="free")


def test_query_and_body_are_one() -> None:
    query = {**FREE, "queues[]": ["a"], "queues": ["b"]}
    object_ = {"type": "free", "userId": "u", "count": 7, "queues": ["a", "b"], "more": 1}
    assert parsed(query, object_) == Asked("free", user_id="u", queues=["a", "b"], count=7)


def test_null_is_nothing_where_nothing_will_do() -> None:
    assert parsed(FREE, {"userId": None, "count": None, "queues": None}) == Asked(type="free")


@pytest.mark.parametrize("empty", [{"queues[]": [""]}, {"queues": ["", ""]}])
def test_a_list_of_nothing_is_none(empty: dict[str, list[str]]) -> None:
    assert parsed({**FREE, **empty}, {}) == Asked(type="free")
    assert parsed(FREE, {"queues": ["", "a", ""]}).queues == ["a"]


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
    assert parsed({**FREE, "count": [text]}, {}).count == number


@pytest.mark.parametrize("value", ["", "-1", "+1", "1.0", "1e3", "NaN", "abc", " 1", "²", "٣"])
def test_what_is_no_whole_number_is_refused(value: str) -> None:
    with pytest.raises(BadArgument, match="Expected a whole number of 0 or more in field count"):
        parsed({**FREE, "count": [value]}, {})


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
        parsed(query, object_)
    assert str(caught.value) == told


class Facts(msgspec.Struct, frozen=True):
    first: Annotated[str, Meta(extra={"repeated": "first"})] = ""
    wait: Annotated[float, Meta(ge=0, extra={"expected": "seconds", "query_only": True})] = 0.0
    items: Annotated[list[str], Meta(extra={"list": "commas"})] = []


def test_facts_of_a_field_are_followed() -> None:
    query = MultiDict([("first", "a"), ("first", "b"), ("items", "x, ,y"), ("items[]", "z"), ("wait", "1.5")])
    facts = QueryOrJson(Facts, RocketChat)
    assert facts.decode_parsed(query, {"wait": "never"}) == Facts("a", 1.5, ["x", "y"])
    with pytest.raises(BadArgument, match="Expected seconds in field wait"):
        facts.decode_parsed(MultiDict(wait="soon"), {})


class Stored(msgspec.Struct, frozen=True, kw_only=True):
    name: str
    role: Literal["a", "b"]
    count: Annotated[int, Meta(ge=1, le=9)] | msgspec.UnsetType | None = msgspec.UNSET


def test_a_body_has_one_kind_of_numbers_and_null_is_a_value_where_absence_is_another() -> None:
    stored = Body(Stored, FieldByField)
    assert stored.decode_parsed({"name": "n", "role": "a", "count": 5.0}) == Stored(name="n", role="a", count=5)
    assert stored.decode_parsed({"name": "n", "role": "a", "count": None}) == Stored(name="n", role="a", count=None)
    assert stored.decode_parsed({"name": "n", "role": "a", "more": 1}) == Stored(name="n", role="a")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, {"name": ["is required"], "role": ["is required"]}),
        ({"name": None, "role": "\ud800"}, {"name": ["a string is required"], "role": [TEXT]}),
        ({"name": "n", "role": "c"}, {"role": ["one of a, b is required"]}),
        ({"name": "n", "role": "a", "count": 5.5}, {"count": ["a whole number from 1 to 9 or null is required"]}),
        ({"name": "n", "role": "a", "count": "5"}, {"count": ["a whole number from 1 to 9 or null is required"]}),
        ({"name": "\0", "role": "a", "count": 1e999}, {"name": [TEXT], "count": ["this number cannot be stored"]}),
    ],
)
def test_all_errors_are_reported_field_by_field(given: dict[str, Any], told: dict[str, list[str]]) -> None:
    with pytest.raises(FieldsWrong) as caught:
        Body(Stored, FieldByField, stored=True).decode_parsed(given)
    assert caught.value.fields == told


def test_repeated_parameters_are_reported_first() -> None:
    query = MultiDict([("name", "n"), ("role", "x"), ("count", "1"), ("count", "2")])
    with pytest.raises(FieldsWrong) as caught:
        Query(Stored, FieldByField).decode_parsed(query)
    assert list(caught.value.fields) == ["count", "role"]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"name": None}, "Missing key 'name'"),
        ({"name": 1}, "Expected string in field name"),
        ({"name": "n", "role": []}, "Expected string in field role"),
        ({"name": "n", "role": "c"}, "Expected one of a, b in field role"),
    ],
)
def test_brief_texts_do_not_name_what_was_sent(given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadArgument) as caught:
        Body(Stored, BriefRocketChat).decode_parsed(given)
    assert str(caught.value) == told
