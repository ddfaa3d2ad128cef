"""Sight: what a reader follows when whose an extension is changes."""

from __future__ import annotations

import pytest

from service.domain.directory import Directory
from service.domain.models import Person, Role
from service.domain.presence.feed import PresenceFeed
from service.domain.presence.item import Item, compose_item
from service.domain.presence.scope import Scope
from tests.support.stored import stored_extension


class World:
    """A directory and its board; nobody has a link."""

    def __init__(self) -> None:
        self.directory = Directory(lambda: 0.0, lambda: 0.0)
        self.directory.confirm(0.0)
        self.feed = PresenceFeed(self._compose, lambda _: None)

    def person(self, user_id: int, role: Role) -> Person:
        made = Person(user_id, f"u{user_id}", f"name{user_id}", role, True, "", None, False)
        self.directory.put_person(user_id, made)
        return made

    def assign(self, number: str, user_id: int | None) -> None:
        self.directory.put_extension(number, stored_extension(number, user_id=user_id))
        self.feed.touch_one(number)

    def scope(self, person: Person, numbers: tuple[str, ...] = (), uids: tuple[str, ...] = ()) -> Scope:
        return Scope(self.feed, self.directory, person, frozenset(numbers), frozenset(uids))

    def _compose(self, number: str) -> Item | None:
        extension = self.directory.extension(number)
        return (
            compose_item(extension, self.directory.extension_holder(extension), None) if extension is not None else None
        )


@pytest.fixture
def world() -> World:
    return World()


def numbers(scope: Scope) -> list[str]:
    return [each.extension for each in scope.snapshot()]


def test_a_client_whose_extension_became_anothers_gets_the_whole_picture(world: World) -> None:
    client, _ = world.person(1, Role.CLIENT), world.person(2, Role.CLIENT)
    world.assign("101", 1)
    scope = world.scope(client)
    assert numbers(scope) == ["101"]
    cursor = scope.cursor()
    assert scope.changes_since(cursor) == []
    world.assign("101", 2)
    assert scope.changes_since(cursor) is None
    assert numbers(scope) == []


def test_who_asked_by_user_gets_the_whole_picture_when_the_user_has_another_extension(world: World) -> None:
    admin, _ = world.person(1, Role.ADMIN), world.person(2, Role.AGENT)
    world.assign("101", 2)
    by_user, by_number = world.scope(admin, uids=("u2",)), world.scope(admin, numbers=("101",))
    cursors = by_user.cursor(), by_number.cursor()
    world.assign("101", None)
    world.assign("102", 2)
    assert by_user.changes_since(cursors[0]) is None
    assert numbers(by_user) == ["102"]
    changed = by_number.changes_since(cursors[1])
    assert changed is not None
    assert [(number, each.user_id) for number, each in changed if each] == [("101", None)]


def test_a_client_sees_nobody_else_whatever_is_asked_for(world: World) -> None:
    client, _ = world.person(1, Role.CLIENT), world.person(2, Role.CLIENT)
    world.assign("101", 1)
    world.assign("102", 2)
    for scope in (world.scope(client, numbers=("101", "102")), world.scope(client, uids=("u1", "u2"))):
        assert numbers(scope) == ["101"]
        assert scope.extensions() == frozenset({"101"})
    assert numbers(world.scope(client, uids=("u2",))) == []


def test_a_cursor_from_another_role_gets_the_whole_picture(world: World) -> None:
    client, admin = world.person(1, Role.CLIENT), world.person(2, Role.ADMIN)
    world.assign("101", 1)
    world.feed.flush()
    own, all_ = world.scope(client), world.scope(admin)
    cursors = own.cursor(), all_.cursor()
    assert (own.changes_since(cursors[0]), all_.changes_since(cursors[1])) == ([], [])
    assert (own.changes_since(cursors[1]), all_.changes_since(cursors[0])) == (None, None)
    assert own.changes_since(cursors[0] + "x") is None


def test_owners_are_told_to_those_who_follow_by_owner_only(world: World) -> None:
    world.person(1, Role.AGENT)
    by_owner = world.feed.subscribe(frozenset(), lambda: None, by_owner=True)
    other = world.feed.subscribe(None, lambda: None)
    world.assign("101", 1)
    world.feed.flush()
    assert (by_owner.needs_snapshot, len(by_owner)) == (True, 0)
    assert (other.needs_snapshot, len(other)) == (False, 1)
