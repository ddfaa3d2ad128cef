"""One cursor for presence and queues: each call moves its own part and leaves the other as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.feed_cursor import Cursor, Memberships, parse_queues_part, queues_part

PROCESS, OTHER = "2f61c09a7b1e", "0123456789ab"
NUMBERS = st.integers(0, 10**18 - 1)
MEMBERSHIPS = st.none() | st.frozensets(st.tuples(st.text(max_size=5), st.text(max_size=5)), max_size=4)
PRESENCE = st.builds("{}-{}{}".format, st.just(PROCESS), NUMBERS, st.sampled_from(("", "-own")))


@given(PRESENCE, NUMBERS, MEMBERSHIPS)
def test_what_was_seen_of_both_comes_back(presence: str, number: int, memberships: Memberships | None) -> None:
    queues = queues_part(number, memberships)
    cursor = Cursor.parse(presence + queues, PROCESS)
    assert (cursor.presence, cursor.of_presence(PROCESS), cursor.queues) == (presence, presence, queues)
    assert parse_queues_part(cursor.queues, memberships) == number
    assert str(cursor) == presence + queues


@given(PRESENCE)
def test_a_cursor_of_presence_alone_stays_as_it_was(presence: str) -> None:
    assert Cursor.parse(presence, PROCESS) == Cursor(presence, "")


@given(NUMBERS, MEMBERSHIPS)
def test_a_cursor_of_queues_alone_says_nothing_of_presence(number: int, memberships: Memberships | None) -> None:
    cursor = Cursor.parse(PROCESS + queues_part(number, memberships), PROCESS)
    assert (cursor.presence, cursor.of_presence(PROCESS)) == (PROCESS, PROCESS)
    assert parse_queues_part(cursor.queues, memberships) == number


@given(PRESENCE, NUMBERS, MEMBERSHIPS)
def test_what_another_process_counted_does_not_count(
    presence: str, number: int, memberships: Memberships | None
) -> None:
    cursor = Cursor.parse(presence + queues_part(number, memberships), OTHER)
    assert (cursor.queues, cursor.of_presence(OTHER)) == ("", OTHER)


@given(NUMBERS, MEMBERSHIPS, MEMBERSHIPS)
def test_readers_who_see_other_callers_do_not_share_a_cursor(
    number: int, one: Memberships | None, other: Memberships | None
) -> None:
    assert (parse_queues_part(queues_part(number, one), other) == number) is (one == other)


@given(st.text() | st.text("0123456789abcdefmnoqw-", max_size=40).map(lambda rest: PROCESS + rest))
def test_what_is_made_up_is_never_an_error_and_never_returned(text: str) -> None:
    cursor = Cursor.parse(text, PROCESS)
    assert str(cursor) in (text, cursor.presence)
    assert cursor.queues == "" or parse_queues_part(cursor.queues.partition("m")[0], None) is not None
    assert cursor.of_presence(PROCESS) in (PROCESS, text.removesuffix(cursor.queues))


@pytest.mark.parametrize(
    "queues", ["-q", "-q7x", "-qx", "-q-7", "-q7m", "-q7m1234567", "-q\u0667", "-q7\n", "-q" + "7" * 19]
)
def test_a_part_that_no_process_makes_makes_the_whole_cursor_void(queues: str) -> None:
    assert Cursor.parse(f"{PROCESS}-12{queues}", PROCESS) == Cursor(f"{PROCESS}-12{queues}", "")
