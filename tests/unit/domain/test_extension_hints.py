"""The hints of a call server: only a list says what they are, and which events ask for another list."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.extension_hints import ExtensionHints, HintList
from service.domain.hints import AMBIGUOUS, ParsedHint

Item = tuple[str, str, str, int]
NUMBERS, CONTEXTS, TEXTS = st.sampled_from("12"), st.sampled_from("ab"), st.sampled_from(["", "PJSIP/1", "SIP/2"])
ITEMS = st.tuples(NUMBERS, CONTEXTS, TEXTS, st.sampled_from([0, 1, 4]))


def listed(hints: ExtensionHints, *items: Item) -> HintList:
    """Take a list of these items; returns it."""
    found = hints.begin_snapshot()
    for item in items:
        found.add(*item)
    hints.end_snapshot(found)
    return found


def known(*items: Item, context: str | None = None) -> ExtensionHints:
    hints = ExtensionHints(context)
    listed(hints, *items)
    return hints


def test_a_number_has_the_devices_of_its_hint() -> None:
    hints = known(("1001", "ext-local", "PJSIP/1001&Custom:DND1001,CustomPresence:1001", 0))
    assert hints.of("1001") == ParsedHint(("PJSIP/1001", "Custom:DND1001"), "1001")
    assert hints.of("100") is None


def test_hints_that_disagree_are_ambiguous_unless_the_context_is_set() -> None:
    items: tuple[Item, ...] = (("1001", "a", "PJSIP/1001", 0), ("1001", "b", "PJSIP/1001&PJSIP/991001", 0))
    assert known(*items).of("1001") is AMBIGUOUS
    assert known(*items, context="a").of("1001") == ParsedHint(("PJSIP/1001",))
    assert known(*items, context="c").of("1001") is None


def test_hints_of_the_ignored_context_map_nothing_and_ask_for_no_list() -> None:
    hints = ExtensionHints(ignored="queue-members")
    listed(hints, ("1001", "queue-members", "PJSIP/gone", 0), ("1002", "a", "PJSIP/1002", 0))
    assert hints.of("1001") is None
    assert len(hints) == 1
    assert not hints.apply("1001", "queue-members", "PJSIP/gone", 1)
    assert hints.apply("1001", "a", "PJSIP/gone", 1)


def test_hints_with_the_same_devices_agree_whatever_else_they_name() -> None:
    hints = known(
        ("1001", "a", "PJSIP/1&PJSIP/2,CustomPresence:1", 0),
        ("1001", "b", "pjsip/2&PJSIP/1&Custom:DND1,CustomPresence:2", 0),
    )
    found = hints.of("1001")
    assert found is not None
    assert (set(found.counted), found.presence, found.ambiguous) == ({"PJSIP/1", "PJSIP/2"}, None, False)


@pytest.mark.parametrize(
    ("event", "asks"),
    [
        (("1", "a", "PJSIP/1", 1), False),  # a state changed
        (("1", "a", "PJSIP/1", 0), True),  # no state changed: the dialplan is reloaded
        (("1", "a", "PJSIP/1&PJSIP/2", 1), True),
        (("1", "a", "", 4), True),  # a hint that a reload brings, before it is in force
        (("1", "b", "PJSIP/1", 1), True),
        (("2", "a", "PJSIP/2", 1), True),
        (("1", "a", "PJSIP/1", -1), True),  # a hint that goes
    ],
)
def test_an_event_that_no_state_explains_asks_for_a_list(event: Item, asks: bool) -> None:
    assert known(("1", "a", "PJSIP/1", 0)).apply(*event) is asks


def test_no_event_changes_what_a_hint_is() -> None:
    hints = known(("1", "a", "PJSIP/1", 0))
    for event in (("1", "a", "PJSIP/2", 1), ("2", "a", "PJSIP/2", 0), ("1", "a", "PJSIP/1", -2)):
        hints.apply(*event)
    assert (hints.of("1"), hints.of("2")) == (ParsedHint(("PJSIP/1",)), None)


def test_a_long_hint_whose_event_holds_the_beginning_only_is_the_same() -> None:
    text = "&".join(f"Custom:device{number}" for number in range(100))
    hints = known(("1", "a", text, 0))
    assert not hints.apply("1", "a", text[:511], 1)
    assert hints.apply("1", "a", "x" + text[1:511], 2)
    assert hints.apply("1", "a", text[:100], 1)


def test_while_a_reload_lists_old_and_new_the_old_one_stays_and_another_list_is_due() -> None:
    hints = known(("1", "a", "PJSIP/1", 0), ("2", "a", "PJSIP/2", 0))
    for order in (1, -1):
        both: list[Item] = [("1", "a", "PJSIP/1", 0), ("1", "a", "PJSIP/1&PJSIP/3", 0)][::order]
        found = listed(hints, *both, ("2", "a", "PJSIP/2", 0))
        assert found.reloading
        assert hints.of("1") == ParsedHint(("PJSIP/1",))
    assert not listed(hints, ("1", "a", "PJSIP/1&PJSIP/3", 0), ("2", "a", "PJSIP/2", 0)).reloading
    assert hints.of("1") == ParsedHint(("PJSIP/1", "PJSIP/3"))


def test_a_first_list_during_a_reload_leaves_what_differs_unknown() -> None:
    hints = ExtensionHints()
    both: tuple[Item, ...] = (("1", "a", "PJSIP/1", 0), ("1", "a", "PJSIP/2", 0))
    assert listed(hints, *both, ("2", "a", "PJSIP/2", 0), ("2", "a", "PJSIP/2", 0)).reloading
    assert (hints.of("1"), hints.of("2")) == (AMBIGUOUS, ParsedHint(("PJSIP/2",)))
    listed(hints, *both)
    assert hints.of("1") is AMBIGUOUS


def test_what_changed_is_named_and_a_lost_link_forgets_statuses_only() -> None:
    hints = known(("1", "a", "PJSIP/1", 0), ("2", "a", "PJSIP/2", 0), ("3", "a", "PJSIP/3", 0))
    found = hints.begin_snapshot()
    for item in (("1", "a", "PJSIP/1", 4), ("2", "a", "PJSIP/22", 0), ("4", "a", "PJSIP/4", 0)):
        found.add(*item)
    before = hints.end_snapshot(found)
    assert sorted(hints.numbers(before)) == ["1", "2", "3", "4"]
    assert hints.changed_among(hints.numbers(before), before) == {"2", "3", "4"}
    assert hints.status(("1", "a")) == 4
    hints.lost()
    assert (hints.status(("1", "a")), hints.of("1")) == (None, ParsedHint(("PJSIP/1",)))


def test_an_event_in_the_window_of_a_list_gives_the_newer_status() -> None:
    hints = known(("1", "a", "PJSIP/1", 0))
    found = hints.begin_snapshot()
    assert not hints.apply("1", "a", "PJSIP/1", 1)
    found.add("1", "a", "PJSIP/1", 0)
    hints.end_snapshot(found)
    assert hints.status(("1", "a")) == 1


@given(st.lists(ITEMS), st.lists(ITEMS), st.lists(ITEMS))
def test_after_a_list_without_repetition_a_number_has_just_what_was_listed(
    first: list[Item], events: list[Item], last: list[Item]
) -> None:
    hints = known(*first)
    for event in events:
        hints.apply(*event)
    once = {item[:2]: item for item in last}
    assert not listed(hints, *once.values()).reloading
    assert dict(hints.items()) == {key: item[2] for key, item in once.items()}
    assert all(hints.status(key) == item[3] for key, item in once.items())
