"""A question is read the same whether it is remembered or not, and only what is asked again is remembered."""

from __future__ import annotations

import pytest
from aiohttp.test_utils import make_mocked_request

from service.web.presence import query
from service.web.presence.query import LARGEST, PresenceQuestion, asked

NOBODY: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("text", "question", "remembered"),
    [
        ("", PresenceQuestion(NOBODY, NOBODY, None, False), True),
        ("extension=1,2&extension=3", PresenceQuestion(frozenset("123"), NOBODY, None, False), True),
        ("userId=a&extension=%31", PresenceQuestion(frozenset("1"), frozenset("a"), None, False), True),
        ("extension=1&since=x", PresenceQuestion(frozenset("1"), NOBODY, "x", False), False),
        ("%73ince=x", PresenceQuestion(NOBODY, NOBODY, "x", False), False),
        ("extension=&userId=,", PresenceQuestion(NOBODY, NOBODY, None, False), True),
        ("extension=,1,,%202+,3", PresenceQuestion(frozenset("123"), NOBODY, None, False), True),
        ("wait=1", PresenceQuestion(NOBODY, NOBODY, None, True), False),
        ("extension=1&ticket=secret", PresenceQuestion(frozenset("1"), NOBODY, None, False), False),
        (f"extension={'1' * LARGEST}", PresenceQuestion(frozenset({"1" * LARGEST}), NOBODY, None, False), False),
    ],
)
def test_a_question_is_read_once_if_it_is_asked_again(text: str, question: PresenceQuestion, remembered: bool) -> None:
    query._remembered.cache_clear()
    request = make_mocked_request("GET", f"/api/v1/presence?{text}")
    assert [asked(request), asked(request)] == [question] * 2
    assert query._remembered.cache_info().currsize == remembered
