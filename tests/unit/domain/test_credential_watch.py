"""Who is told of new credentials: the streams of the phone's own person, once, whatever happens in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from service.domain.credential_watch import ChangedCredentials, CredentialSubscription, CredentialWatch
from service.domain.directory import Directory
from service.domain.models import Extension, Person, Phone, Role
from tests.support.stored import stored_extension, stored_phone

ALICE, BOB = 1, 2
OWN = ChangedCredentials("12342", hash("12342"), "12342")
DESK = ChangedCredentials("12342", hash("12342.desk"), "12342.desk")


class World:
    """A directory with two people, and a watch that hears of each change."""

    def __init__(self) -> None:
        self.directory = Directory(lambda: 0.0, lambda: 0.0)
        self.directory.confirm(0.0)
        self.watch = CredentialWatch(self.directory)
        self.notified = 0
        for user_id in (ALICE, BOB):
            person = Person(user_id, f"uid{user_id}", f"name{user_id}", Role.CLIENT, True, "", None, False)
            self.directory.put_person(user_id, person)

    def put(self, *phones: Phone, user_id: int | None = ALICE, enabled: bool = True, number: str = "12342") -> None:
        extension: Extension = stored_extension(number, enabled=enabled, user_id=user_id)
        self.directory.put_extension(number, replace(extension, phones=phones))
        self.watch.directory_changed(frozenset({number}))

    def subscribe(self, user_id: int = ALICE) -> CredentialSubscription:
        return self.watch.subscribe(user_id, self._count)

    def _count(self) -> None:
        self.notified += 1


@pytest.fixture
def world() -> World:
    made = World()
    made.put(stored_phone("12342", "first"))
    return made


def test_a_new_password_is_told_to_each_stream_of_its_person_and_to_nobody_else(world: World) -> None:
    alice, also_alice, bob = world.subscribe(), world.subscribe(), world.subscribe(BOB)
    world.put(stored_phone("12342", "second"))
    assert (alice.take(), also_alice.take(), bob.take()) == ([OWN], [OWN], [])
    assert world.notified == 2
    assert alice.take() == []


def test_a_change_that_was_not_sent_is_not_told_to_a_former_person(world: World) -> None:
    alice = world.subscribe()
    world.put(stored_phone("12342", "second"))
    world.put(stored_phone("12342", "third"), user_id=BOB)
    assert alice.take() == []
    world.put(stored_phone("12342", "third"))
    assert alice.take() == [OWN]
    world.put(stored_phone("12342", "fourth"))
    world.put()
    assert alice.take() == []


def test_what_leaves_the_credentials_alone_is_not_told(world: World) -> None:
    alice = world.subscribe()
    world.put(stored_phone("12342", "first", label="renamed"))
    world.put(stored_phone("12342", "first"), enabled=False)
    world.put(stored_phone("12342", "first"))
    world.put(stored_phone("12343", "another's"), user_id=BOB, number="12343")
    world.put(stored_phone("12343", "another's new one"), user_id=BOB, number="12343")
    assert (alice.take(), world.notified) == ([], 0)


def test_only_the_phone_that_changed_is_told_and_a_new_phone_too(world: World) -> None:
    alice = world.subscribe()
    own, desk = stored_phone("12342", "first"), stored_phone("12342.desk", "desk")
    world.put(own, desk)
    assert alice.take() == [DESK]
    world.put(own, replace(desk, secret="desk two"))
    world.put(own, replace(desk, secret="desk three"))
    assert alice.take() == [DESK], "a slow stream is told of each phone once"
    world.put(own, replace(desk, auth_username="other"))
    assert alice.take() == [DESK]


def test_a_password_that_ended_is_told_when_there_is_another(world: World) -> None:
    alice = world.subscribe()
    world.put(replace(stored_phone("12342"), secret=None))
    assert alice.take() == []
    world.put(stored_phone("12342", "second"))
    assert alice.take() == [OWN]


def test_a_change_while_the_extension_is_disabled_or_somebody_elses_is_told_when_it_is_back(world: World) -> None:
    alice = world.subscribe()
    world.put(stored_phone("12342", "second"), enabled=False)
    world.put(stored_phone("12342", "third"), user_id=BOB)
    assert alice.take() == []
    world.put(stored_phone("12342", "third"))
    assert alice.take() == [OWN]


def test_another_extension_is_told_with_its_phones(world: World) -> None:
    alice = world.subscribe()
    world.put(stored_phone("12342", "first"), user_id=None)
    world.put(stored_phone("20001", "new"), number="20001")
    assert alice.take() == [ChangedCredentials("20001", hash("20001"), "20001")]


def test_nothing_is_kept_once_the_last_stream_has_ended(world: World) -> None:
    alice, also_alice = world.subscribe(), world.subscribe()
    world.watch.unsubscribe(ALICE, alice)
    world.put(stored_phone("12342", "second"))
    assert (alice.take(), also_alice.take()) == ([], [OWN])
    world.watch.unsubscribe(ALICE, also_alice)
    world.put(stored_phone("12342", "third"))
    assert world.watch._known == {}
    again = world.subscribe()
    assert again.take() == []
