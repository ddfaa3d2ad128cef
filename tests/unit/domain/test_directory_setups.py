"""The directory finds a phone by the hash of its set-up link or device URL, as long as the phone may register."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from service.domain.directory import Directory
from service.domain.models import Extension, Person, PhoneSetup, Role
from service.errors import DirectoryUnavailable
from tests.support.directories import fill
from tests.support.stored import stored_extension, stored_phone

LINK, URL, NEW = b"l" * 32, b"u" * 32, b"n" * 32


def person(*, active: bool = True) -> Person:
    return Person(1, "u1", "name", Role.AGENT, active, "Name", None, False)


def extension(number: str = "101", *hashes: bytes | None) -> Extension:
    """An extension with a phone that has a link and a device URL."""
    link, url = hashes or (LINK, URL)
    further = stored_phone(f"{number}.k3f9", phone_id=7, setup=PhoneSetup(link, 2e9, url))
    made = stored_extension(number, user_id=1)
    return replace(made, phones=(*made.phones, further))


@pytest.fixture
def directory() -> Directory:
    made = Directory(lambda: 1000.0, time.time)
    fill(made, [person()], [], [extension()])
    made.confirm(1000.0)
    return made


def found(directory: Directory, token_hash: bytes) -> str | None:
    phone = directory.find_setup(token_hash)
    return phone[1].endpoint if phone is not None else None


def test_it_finds_the_phone_by_both(directory: Directory) -> None:
    assert found(directory, LINK) == found(directory, URL) == "101.k3f9"
    assert found(directory, NEW) is None


def test_what_was_replaced_is_found_no_more(directory: Directory) -> None:
    directory.put_extension("101", extension("101", NEW, None))
    assert found(directory, NEW) == "101.k3f9"
    assert found(directory, LINK) is found(directory, URL) is None
    directory.put_extension("101", None)
    assert found(directory, NEW) is None


def test_a_phone_that_moves_is_found_whichever_row_is_read_first(directory: Directory) -> None:
    directory.put_extension("102", extension("102"))
    directory.put_extension("101", None)
    assert found(directory, LINK) == "102.k3f9"


def test_a_full_read_brings_them_too(directory: Directory) -> None:
    reread = directory.begin_reread()
    reread.add_people([person()])
    reread.add_extensions([extension("101", NEW, URL)])
    directory.end_reread(reread)
    assert found(directory, NEW) == "101.k3f9"
    assert found(directory, LINK) is None


@pytest.mark.parametrize("change", ["disabled", "inactive"])
def test_a_phone_that_may_not_register_is_not_found(directory: Directory, change: str) -> None:
    if change == "disabled":
        directory.put_extension("101", replace(extension(), enabled=False))
    else:
        directory.put_person(1, person(active=False))
    assert found(directory, LINK) is found(directory, URL) is None


def test_without_a_confirmation_it_answers_nothing() -> None:
    unconfirmed = Directory(lambda: 1000.0, time.time)
    with pytest.raises(DirectoryUnavailable):
        unconfirmed.find_setup(LINK)
