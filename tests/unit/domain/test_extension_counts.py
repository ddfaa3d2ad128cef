"""Counts of extensions and of registrations."""

from __future__ import annotations

from itertools import pairwise

from service.domain.presence.extension_counts import ExtensionCounts, Kind
from service.domain.presence.item import Item


def item(state: str, registered: bool | None, *, live: bool = True, call_server: str = "main") -> Item:
    return Item("1", None, None, call_server, state, registered, None, None, None, "not_set", "", live, "")


def test_an_extension_counts_once_whatever_becomes_of_it() -> None:
    counts = ExtensionCounts()
    items = [None, item("Unavailable", False), item("Not in use", True), item("In use", True), None]
    for old, new in pairwise(items):
        counts.replace(old, new)
        assert counts.extensions.total() == (new is not None)
    assert set(counts.extensions.values()) == {0}


def test_a_state_that_is_not_live_counts_as_unknown() -> None:
    counts = ExtensionCounts()
    counts.replace(None, item("In use", None, live=False))
    assert counts.extensions == {Kind("main", "Unknown", None): 1}


def test_only_registrations_that_were_observed_to_come_or_go_count() -> None:
    counts = ExtensionCounts()
    for old, new in ((None, True), (True, None), (None, False), (False, None), (None, True), (True, True)):
        counts.replace(item("Not in use", old), item("Not in use", new))
    assert (counts.registrations, counts.losses) == ({}, {})
    counts.replace(item("Unavailable", False), item("Not in use", True))
    counts.replace(item("Not in use", True), item("Unavailable", False))
    counts.replace(item("Unavailable", False), item("Not in use", True))
    assert (counts.registrations, counts.losses) == ({"main": 2}, {"main": 1})


def test_an_extension_that_moved_to_another_call_server_counts_there() -> None:
    counts = ExtensionCounts()
    counts.replace(None, item("Not in use", True))
    counts.replace(item("Not in use", True), item("Not in use", True, call_server="east"))
    assert +counts.extensions == {Kind("east", "Not in use", True): 1}
