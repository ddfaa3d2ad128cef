"""A question is read the same whether it is remembered or not, and only what is asked again is remembered."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from service.web.presence import query
from service.web.presence.query import LARGEST, Question, asked

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("text", "question", "remembered"),
    [
        ("", Question(NOBODY, NOBODY, None, False), True),
        ("extension=1,2&extension=3", Question(frozenset("123"), NOBODY, None, False), True),
        ("userId=a&extension=%31", Question(frozenset("1"), frozenset("a"), None, False), True),
        ("extension=1&since=x", Question(frozenset("1"), NOBODY, "x", False), False),
        ("%73ince=x", Question(NOBODY, NOBODY, "x", False), False),
        ("extension=&userId=,", Question(NOBODY, NOBODY, None, False), True),
        ("extension=,1,,%202+,3", Question(frozenset("123"), NOBODY, None, False), True),
        ("wait=1", Question(NOBODY, NOBODY, None, True), False),
        ("extension=1&ticket=secret", Question(frozenset("1"), NOBODY, None, False), False),
        (f"extension={'1' * LARGEST}", Question(frozenset({"1" * LARGEST}), NOBODY, None, False), False),
    ],
)
def test_a_question_is_read_once_if_it_is_asked_again(text: str, question: Question, remembered: bool) -> None:
    query._remembered.cache_clear()
    request = make_mocked_request("GET", f"/api/v1/presence?{text}")
    assert [asked(request), asked(request)] == [question] * 2
    assert query._remembered.cache_info().currsize == remembered
