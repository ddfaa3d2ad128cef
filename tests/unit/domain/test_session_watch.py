"""What hangs on tokens ends with them, a few in each turn of the loop."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from service.domain.directory import Directory
from service.domain.directory_tables import Token
from service.domain.models import Person, Role, TokenScope
from service.domain.session_watch import SLICE_SIZE, SessionWatch
from tests.support.directories import fill

ANN = Person(1, "u1", "ann", Role.AGENT, True, "Ann", None, False)
HASH, OTHER = b"h" * 32, b"o" * 32


def held(many: int, due: list[Callable[[], None]]) -> tuple[Directory, SessionWatch, list[object]]:
    directory = Directory(lambda: 0.0, lambda: 0.0)
    fill(directory, [ANN], [(HASH, Token(1, 1e9)), (OTHER, Token(1, 1e9))], [])
    directory.confirm(0.0)
    watch, ended = SessionWatch(directory, due.append), list[object]()
    for number in range(many):
        watch.hold(HASH, ANN.access, partial(ended.append, number))
    watch.hold(OTHER, ANN.access, partial(ended.append, "other"))
    watch.sweep()
    return directory, watch, ended


def test_thousands_that_hang_on_one_token_end_over_many_turns() -> None:
    due: list[Callable[[], None]] = []
    directory, watch, ended = held(5 * SLICE_SIZE, due)
    assert not ended
    directory.put_token(HASH, None)
    watch.sweep()
    turns = [len(ended)]
    while due:
        due.pop()()
        turns.append(len(ended))
    assert turns == [SLICE_SIZE, 2 * SLICE_SIZE, 3 * SLICE_SIZE, 4 * SLICE_SIZE, 5 * SLICE_SIZE]
    assert set(ended) == set(range(5 * SLICE_SIZE))


def test_one_that_left_by_itself_is_not_ended_any_more() -> None:
    due: list[Callable[[], None]] = []
    _, watch, ended = held(SLICE_SIZE, due)
    leaves = partial(ended.append, "left")
    watch.hold(HASH, ANN.access, leaves)
    watch.end_all()
    watch.release(leaves)
    while due:
        due.pop()()
    assert set(ended) == {*range(SLICE_SIZE), "other"}


def test_whoever_comes_after_the_end_is_ended_at_once() -> None:
    _, watch, ended = held(0, [])
    watch.end_all()
    watch.hold(HASH, ANN.access, partial(ended.append, "late"))
    assert ended == ["other", "late"]


def test_another_scope_of_a_token_ends_what_hangs_on_it() -> None:
    due: list[Callable[[], None]] = []
    directory, watch, ended = held(1, due)
    directory.put_token(HASH, Token(1, 1e9, TokenScope.BOARD))
    watch.sweep()
    assert ended == [0]
    assert not watch.valid(HASH, ANN.access)
    assert watch.valid(HASH, (Role.AGENT, TokenScope.BOARD))
