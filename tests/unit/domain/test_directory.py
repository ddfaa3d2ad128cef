"""The directory answers what PostgreSQL holds, as long as it is proved to."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from service.domain.directory import Directory
from service.domain.directory_tables import MAX_REVOKED, Token
from service.domain.models import Extension, Person, Role
from service.errors import DirectoryUnavailable
from tests.support.directories import fill
from tests.support.stored import stored_extension, stored_phone

HASH = b"h" * 32


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def person(user_id: int = 1, uid: str = "u1", active: bool = True, name: str = "name") -> Person:
    return Person(user_id, uid, name, Role.AGENT, active, "Name", None, False)


def extension(number: str = "101", user_id: int | None = 1, enabled: bool = True) -> Extension:
    return stored_extension(number, enabled=enabled, user_id=user_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory(clock: Clock) -> Directory:
    made = Directory(clock, time.time)
    fill(made, [person()], [(HASH, Token(1, time.time() + 60))], [extension()])
    made.confirm(clock.now)
    return made


def test_it_knows_who_holds_a_token_and_whose_extension_is_which(directory: Directory) -> None:
    holder = directory.token_holder(HASH)
    assert holder is not None
    assert holder.uid == "u1"
    found = directory.extension_of("u1")
    assert found is not None
    assert found.number == "101"
    assert directory.extension("101") is not None
    assert directory.extension("102") is None


def test_a_token_that_expired_is_refused_although_nobody_told(directory: Directory) -> None:
    directory.put_token(HASH, Token(1, time.time() - 0.001))
    assert directory.token_holder(HASH) is None
    assert directory.has_ended(HASH)


@pytest.mark.parametrize("gone", [person(active=False), None])
def test_whoever_is_inactive_or_gone_holds_nothing(directory: Directory, gone: Person | None) -> None:
    directory.put_person(1, gone)
    assert directory.token_holder(HASH) is None
    assert directory.extension_of("u1") is None
    assert directory.extension("101") is None


def test_an_extension_that_moves_to_another_person_is_only_theirs(directory: Directory) -> None:
    directory.put_person(2, person(2, "u2"))
    directory.put_extension("101", extension(user_id=2))
    assert directory.extension_of("u1") is None
    assert directory.extension_of("u2") is not None


def test_two_extensions_that_swap_people_end_right_in_either_order(directory: Directory) -> None:
    directory.put_person(2, person(2, "u2"))
    directory.put_extension("102", extension("102", 2))
    directory.put_extension("101", extension("101", 2))
    directory.put_extension("102", extension("102", 1))
    held = {uid: found.number for uid in ("u1", "u2") if (found := directory.extension_of(uid))}
    assert held == {"u1": "102", "u2": "101"}


def test_a_person_with_another_id_is_not_found_under_the_old_one(directory: Directory) -> None:
    directory.put_person(1, person(uid="u9"))
    assert directory.person_by_uid("u1") is None
    assert directory.extension_of("u9") is not None


def test_a_disabled_extension_may_not_register(directory: Directory) -> None:
    directory.put_extension("101", extension(enabled=False))
    assert directory.extension_of("u1") is None


def test_an_extension_of_nobody_may_register_but_is_nobodys(directory: Directory) -> None:
    directory.put_extension("101", extension(user_id=None))
    assert directory.extension("101") is not None
    assert directory.extension_of("u1") is None


def test_without_proof_it_says_so_then_answers_nothing_and_heals(directory: Directory, clock: Clock) -> None:
    assert directory.overdue <= 0
    clock.now += 5.1
    assert directory.stale_since is not None
    assert directory.token_holder(HASH) is not None
    clock.now += 60
    with pytest.raises(DirectoryUnavailable):
        directory.token_holder(HASH)
    with pytest.raises(DirectoryUnavailable):
        directory.extension_of("u1")
    directory.confirm(clock.now)
    assert directory.overdue <= 0
    assert directory.token_holder(HASH) is not None


def test_it_answers_nothing_before_it_was_ever_read(clock: Clock) -> None:
    assert not Directory(clock, time.time).usable


def test_people_who_swap_their_ids_are_both_found(directory: Directory) -> None:
    directory.put_person(2, person(2, "u2"))
    directory.put_person(1, person(1, "u2"))
    directory.put_person(2, person(2, "u1"))
    assert [found.user_id for uid in ("u1", "u2") if (found := directory.person_by_uid(uid))] == [2, 1]


def test_a_person_is_found_by_name_in_any_case_also_after_names_were_swapped(directory: Directory) -> None:
    ann, bob = person(1, "u1", name="Ann"), person(2, "u2", name="bob")
    directory.put_person(1, ann)
    directory.put_person(2, bob)
    assert (directory.person_by_name("ANN"), directory.person_by_name("Bob"), directory.person_by_name("name")) == (
        ann,
        bob,
        None,
    )
    ann, bob = person(1, "u1", name="BOB"), person(2, "u2", name="Ann")
    directory.put_person(1, ann)
    directory.put_person(2, bob)
    assert (directory.person_by_name("bob"), directory.person_by_name("ann")) == (ann, bob)
    directory.put_person(2, None)
    assert (directory.person_by_name("bob"), directory.person_by_name("ann")) == (ann, None)


def test_numbers_are_in_order_whatever_comes_and_goes(directory: Directory) -> None:
    for number in ("9", "70001", "101"):
        directory.put_extension(number, extension(number, None))
        assert directory.numbers() == sorted(directory.numbers())
    directory.put_extension("101", extension("101", None, enabled=False))
    directory.put_extension("9", None)
    directory.put_extension("8", None)
    assert directory.numbers() == ["101", "70001"]
    fill(directory, [], [], [])
    assert directory.numbers() == []


def test_tokens_that_ended_are_remembered_as_such_and_are_bounded(directory: Directory) -> None:
    assert not directory.has_ended(HASH)
    fill(directory, [person()], [], [])
    assert directory.has_ended(HASH)
    directory.put_token(HASH, Token(1, time.time() + 60))
    assert not directory.has_ended(HASH)
    for number in range(MAX_REVOKED + 10):
        token_hash = number.to_bytes(32, "big")
        directory.put_token(token_hash, None)
        assert not directory.has_ended(token_hash), "it was never known"
        directory.put_token(token_hash, Token(1, time.time() + 60))
        directory.put_token(token_hash, None)
        assert directory.has_ended(token_hash)
    assert len(directory._revoked) == MAX_REVOKED
    directory.put_person(1, person(active=False))
    assert directory.has_ended(HASH)


def imported(number: str, *endpoints: str) -> Extension:
    return Extension(number, "main", True, None, number, tuple(map(stored_phone, endpoints)))


def test_an_extension_is_found_by_its_number_else_by_the_endpoint_of_one_extension_only(directory: Directory) -> None:
    for made in (imported("1005", "alice", "shared"), imported("1006", "shared", "101"), imported("alice2", "x")):
        directory.put_extension(made.number, made)
    for name, number in (("1005", "1005"), ("alice", "1005"), ("x", "alice2"), ("101", "101")):
        found = directory.find_extension(name)
        assert found is not None
        assert found.number == number
    assert directory.find_extension("shared") is None
    directory.put_extension("1005", imported("1005", "bob"))
    assert directory.find_extension("alice") is None
    assert (found := directory.find_extension("shared")) is not None
    assert found.number == "1006"


def test_an_extension_that_may_not_register_is_not_found_by_its_endpoint(directory: Directory) -> None:
    directory.put_extension("1005", replace(imported("1005", "alice"), enabled=False))
    assert directory.find_extension("alice") is None
