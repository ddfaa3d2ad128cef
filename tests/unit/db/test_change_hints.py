"""Hints: parsed whole or not at all, bounded, and never a reason to read everything all the time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from service.db.change_hints import MAX_FULL_READ_PAUSE, MAX_ROWS, UNKNOWN_HINT_INTERVAL, ChangeHints, Rows
from service.domain.models import MAX_USER_ID

HASH = "ab" * 32


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(*hints: str) -> Rows:
    made = ChangeHints(Clock())
    for hint in hints:
        made.add(hint)
    return made.take()


def test_the_rows_of_hints_are_read() -> None:
    assert taken("user 5", f"token \\x{HASH}", f"token {HASH}", "extension a-1", "user 5") == Rows(
        {5}, {bytes.fromhex(HASH)}, {"a-1"}
    )
    assert taken() == Rows()
    assert taken(f"user {MAX_USER_ID}") == Rows({MAX_USER_ID})


def test_a_star_means_everything() -> None:
    for kind in ("user", "token", "extension"):
        hints = ChangeHints(Clock())
        hints.add("user 5")
        assert (hints.full_read_due_in(), hints.take_full_read()) == (None, False)
        hints.add(f"{kind} *")
        assert (hints.full_read_due_in(), hints.behind, hints.take_full_read()) == (0.0, True, True)
        assert (hints.full_read_due_in(), hints.behind, hints.take_full_read()) == (None, False, False)
        assert hints.take() == Rows({5}), "it need not wait for that"


ALMOST = st.builds(
    "{}{}{}".format,
    st.sampled_from(["user", "token", "extension", "User", "users", "role", "", "\N{ZERO WIDTH SPACE}user"]),
    st.sampled_from([" ", "", "  ", "\t", "\n", "\N{NO-BREAK SPACE}", "\0"]),
    st.one_of(
        st.text(max_size=80),
        st.integers(min_value=-(2**70), max_value=2**70).map(str),
        st.sampled_from(["*", "*\n", "٣", "1e3", "0x5", "05", "1_0", HASH[1:], HASH.upper(), f"\\x{HASH}"]),
    ),
)


@given(st.lists(st.one_of(ALMOST, st.text(max_size=8000)), max_size=20))
def test_whatever_comes_is_a_row_that_can_be_asked_for_or_means_everything(hints: list[str]) -> None:
    made = ChangeHints(Clock())
    understood = [made.add(hint) for hint in hints]
    rows = made.take()
    if not all(understood):
        assert made.take_full_read()
    assert all(0 <= user_id < 2**63 for user_id in rows.user_ids)
    assert all(len(hash_) == 32 for hash_ in rows.token_hashes)
    assert all(number.isascii() and len(number) <= 40 for number in rows.extensions)


def test_what_is_not_understood_reads_everything_once_in_a_while_however_much_comes() -> None:
    clock = Clock()
    hints, read = ChangeHints(clock), 0
    for number in range(100_000):
        assert not hints.add(f"user x{number}")
        clock.now += 0.001
        if hints.full_read_due_in() == 0.0 and hints.take_full_read():
            read += 1
            hints.full_read_ended(0.05)
    assert read == 100 / UNKNOWN_HINT_INTERVAL
    assert hints.full_read_due_in() is not None, "the last ones are still to be answered"


def test_many_keys_become_one_reading_of_everything() -> None:
    clock = Clock()
    hints = ChangeHints(clock)
    for number in range(100_000):
        hints.add(f"user {number}")
        assert len(hints._rows) <= MAX_ROWS
    assert hints.take_full_read()
    assert not hints.take_full_read()


def test_a_flood_of_stars_reads_everything_for_a_fifth_of_the_time_at_most() -> None:
    clock = Clock()
    hints, spent = ChangeHints(clock), 0.0
    began = clock.now
    while clock.now < began + 100:
        hints.add("user *")
        wait = hints.full_read_due_in()
        assert wait is not None
        assert wait <= MAX_FULL_READ_PAUSE
        clock.now += wait
        assert hints.take_full_read()
        clock.now += 0.3
        spent += 0.3
        hints.full_read_ended(0.3)
    assert spent <= 100 / 5 + 1


def test_a_single_row_does_not_wait_for_everything() -> None:
    clock = Clock()
    hints = ChangeHints(clock)
    hints.add("user *")
    assert hints.take_full_read()
    hints.full_read_ended(1.0)
    hints.add("user *")
    hints.add("user 5")
    assert not hints.take_full_read()
    assert hints.take() == Rows({5})
    assert hints.behind, "everything is still to be read, so nothing is proven"
    clock.now += MAX_FULL_READ_PAUSE
    assert hints.take_full_read()
    assert not hints.behind


def test_what_is_not_understood_proves_nothing_wrong() -> None:
    hints = ChangeHints(Clock())
    hints.add("role 5")
    assert hints.take_full_read()
    hints.full_read_ended(0.1)
    hints.add("role 6")
    assert not hints.take_full_read()
    assert not hints.behind


def test_what_could_not_be_read_stays_due() -> None:
    hints = ChangeHints(Clock())
    hints.add("user 5")
    rows = hints.take()
    hints.add("user 6")
    hints.put_back(rows)
    assert hints.take() == Rows({5, 6})
    hints.request_full_read()
    assert hints.take_full_read()
    hints.put_back(Rows(set(range(MAX_ROWS))))
    assert not hints.take_full_read()
    hints.put_back(Rows({MAX_ROWS}))
    assert hints.take_full_read()
