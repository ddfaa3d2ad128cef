"""Pictures: a tag that is remembered is the tag that would be made."""

from __future__ import annotations

import gc

from hypothesis import given
from hypothesis import strategies as st

from service.domain.models import Role
from service.web.presence.snapshot_cache import MAX_CACHED_GROUPS, MAX_GROUP_SIZE, SnapshotCache
from tests.unit.domain.test_scope import World

ROLES = st.sampled_from([Role.ADMIN, Role.CLIENT])
CHANGES = st.tuples(st.sampled_from(["101", "102", "103"]), st.sampled_from([None, 1, 2]))
LOOKS = st.tuples(ROLES, st.frozensets(st.sampled_from(["101", "102", "nobody"])))


@given(st.lists(st.one_of(CHANGES, LOOKS)))
def test_a_tag_is_that_of_what_is_in_sight_now(steps: list[tuple[object, object]]) -> None:
    world = World()
    snapshots = SnapshotCache(world.feed, b"key")
    people = {Role.ADMIN: world.person(1, Role.ADMIN), Role.CLIENT: world.person(2, Role.CLIENT)}
    for what, how in steps:
        if isinstance(how, frozenset):
            assert isinstance(what, Role)
            scope = world.scope(people[what], tuple(how))
            assert snapshots.etag(scope) == snapshots.etag_of(scope.snapshot())
        else:
            assert how is None or isinstance(how, int)
            world.assign(str(what), how)


def test_what_is_remembered_is_bounded() -> None:
    world = World()
    snapshots, person = SnapshotCache(world.feed, b"key"), world.person(1, Role.ADMIN)
    for number in range(MAX_CACHED_GROUPS + 10):
        snapshots.etag(world.scope(person, (str(number), "101")))
    snapshots.etag(world.scope(person, tuple(map(str, range(MAX_GROUP_SIZE + 1)))))
    assert len(snapshots._group_etags) <= MAX_CACHED_GROUPS
    assert max(map(len, snapshots._group_etags)) <= MAX_GROUP_SIZE


def test_the_garbage_collector_does_not_search_what_is_kept_of_each_extension() -> None:
    world = World()
    snapshots = SnapshotCache(world.feed, b"key")
    world.assign("101", 1)
    [item] = world.scope(world.person(1, Role.ADMIN), ("101",)).snapshot()
    kept = (snapshots.item_json(item), snapshots.item_etag(item))
    gc.collect()
    assert kept
    for table in (snapshots._item_json, snapshots._item_etags):
        assert not gc.is_tracked(table["101"])
