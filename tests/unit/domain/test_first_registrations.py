"""The link of a phone ends at its first registration after the fetch, and not for a contact of before."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain.contacts import Contact
from service.domain.first_registrations import MAX_WATCHED, FetchedLink, FirstRegistrations

NOON = datetime(2026, 11, 27, 12, tzinfo=UTC)
LINK = FetchedLink(7, "101.k3f9", b"h" * 32, 600.0)
OLD = Contact("sip:101.k3f9@10.0.0.1:5060", expires_at=NOON)
NEW = Contact("sip:101.k3f9@10.0.0.2:5060", expires_at=NOON)


class Watched:
    def __init__(self) -> None:
        self.time = 0.0
        self.ended: list[FetchedLink] = []
        self.registrations = FirstRegistrations(lambda: self.time)
        self.registrations.registered = self.ended.append

    def watch(self, *contacts: Contact, known: bool = True) -> None:
        self.registrations.watch("main", LINK, contacts if known else None)

    def event(self, *contacts: Contact) -> None:
        self.registrations.update("main", LINK.endpoint, contacts, read=False)

    def read(self, *contacts: Contact) -> None:
        self.registrations.update("main", LINK.endpoint, contacts, read=True)


@pytest.fixture
def watched() -> Watched:
    return Watched()


def test_a_new_contact_ends_it_once(watched: Watched) -> None:
    watched.watch()
    watched.event()
    assert watched.ended == []
    watched.event(NEW)
    watched.event(NEW)
    assert watched.ended == [LINK]
    assert len(watched.registrations) == 0


def test_a_contact_of_before_does_not_end_it_and_a_second_one_does(watched: Watched) -> None:
    watched.watch(OLD)
    watched.event(replace(OLD, reachable=False))
    watched.read(OLD)
    watched.read(replace(OLD, reachable=True, expires_at=NOON + timedelta(seconds=1)))
    assert watched.ended == []
    watched.event(OLD, NEW)
    assert watched.ended == [LINK]


def test_a_contact_of_before_that_is_renewed_ends_it(watched: Watched) -> None:
    watched.watch(replace(OLD, expires_at=NOON - timedelta(minutes=9)))  # read long ago, and renewed before the fetch
    assert watched.registrations.to_read_again() == [("main", LINK.endpoint)]
    watched.read(OLD)
    assert watched.ended == []
    watched.read(replace(OLD, expires_at=NOON + timedelta(seconds=30)))
    assert watched.ended == [LINK]


def test_a_contact_of_before_that_goes_and_comes_back_ends_it(watched: Watched) -> None:
    watched.watch(OLD)
    watched.event()
    assert watched.registrations.to_read_again() == []
    watched.event(OLD)
    assert watched.ended == [LINK]


def test_contacts_that_become_known_during_the_watch_are_taken_as_those_of_before(watched: Watched) -> None:
    watched.watch(known=False)
    watched.registrations.update("main", LINK.endpoint, None, read=True)
    watched.read(OLD)
    assert watched.ended == []
    watched.event(OLD, NEW)
    assert watched.ended == [LINK]


def test_other_endpoints_and_call_servers_end_nothing(watched: Watched) -> None:
    watched.watch()
    watched.registrations.update("main", "101", [NEW], read=True)
    watched.registrations.update("other", LINK.endpoint, [NEW], read=True)
    assert watched.ended == []


def test_a_later_fetch_begins_anew(watched: Watched) -> None:
    watched.watch()
    watched.watch(NEW)
    watched.event(NEW)
    assert watched.ended == []


def test_a_watch_ends_with_its_link(watched: Watched) -> None:
    watched.watch(OLD)
    watched.time = 600.0
    assert watched.registrations.to_read_again() == []
    watched.event(NEW)
    assert watched.ended == []


def test_the_number_of_watches_is_bounded() -> None:
    registrations = FirstRegistrations(lambda: 0.0)
    for number in range(MAX_WATCHED + 5):
        registrations.watch("main", replace(LINK, endpoint=f"e{number}"), ())
    assert len(registrations) == MAX_WATCHED
    ended: list[FetchedLink] = []
    registrations.registered = ended.append
    for number in range(MAX_WATCHED + 5):
        registrations.update("main", f"e{number}", [NEW], read=False)
    assert [link.endpoint for link in ended] == [f"e{number}" for number in range(5, MAX_WATCHED + 5)]
