"""Whom a queue member stands for: by device or by number, exactly, in whatever form it is configured."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from service.domain.models import DeviceState
from service.domain.queue_entries import Averages, Member, QueueSnapshot
from service.domain.queue_members import number_of
from service.domain.queues import Queues

NUMBER = st.from_regex("[A-Za-z0-9_-]{1,40}", fullmatch=True)
CONTEXT = st.from_regex("[A-Za-z0-9_.-]{1,20}", fullmatch=True)
OPTIONS = st.sampled_from(["", "/n", "/nj", "/", "/n/n"])


def cased(word: str) -> st.SearchStrategy[str]:
    """A word in any case."""
    return st.lists(st.booleans(), min_size=len(word), max_size=len(word)).map(
        lambda upper: "".join(letter.upper() if up else letter.lower() for letter, up in zip(word, upper, strict=True))
    )


def with_member(interface: str, state_interface: str = "") -> Queues:
    queues = Queues()
    queues.begin_snapshot()
    member = Member(interface, state_interface or interface, DeviceState.NOT_INUSE, paused=False)
    queues.end_snapshot(QueueSnapshot({"sales": Averages(0, 0)}, {("sales", interface): member}, {}))
    return queues


@given(NUMBER, CONTEXT, OPTIONS, cased("local"))
def test_a_local_channel_stands_for_its_number(number: str, context: str, options: str, local: str) -> None:
    queues = with_member(f"{local}/{number}@{context}{options}")
    assert queues.of_extension(number, ()) == {"sales"}


@given(NUMBER, CONTEXT)
def test_a_state_interface_of_a_hint_stands_for_its_number(number: str, context: str) -> None:
    queues = with_member("Local/x@agents", f"hint:{number}@{context}")
    assert queues.of_extension(number, ()) == {"sales"}


@given(NUMBER, NUMBER, CONTEXT, OPTIONS)
def test_another_number_is_no_member_whatever_it_begins_or_ends_with(
    number: str, other: str, context: str, options: str
) -> None:
    for longer in (number + other, other + number):
        assume(longer != number)
        assert not with_member(f"Local/{longer}@{context}{options}").of_extension(number, ())
        assert not with_member("SIP/x", f"hint:{longer}@{context}").of_extension(number, ())
        assert not with_member(f"Local/{number}@{context}{options}").of_extension(longer, ())
        assert not with_member(f"PJSIP/{longer}").of_extension(number, (f"PJSIP/{number}",))


@given(NUMBER, cased("pjsip"))
def test_a_device_is_a_member_with_its_technology_in_any_case(endpoint: str, technology: str) -> None:
    for queues in (with_member(f"{technology}/{endpoint}"), with_member("Local/a.b@x/n", f"{technology}/{endpoint}")):
        assert queues.of_extension("other", ("SIP/none", f"PJSIP/{endpoint}")) == {"sales"}
        assert not queues.of_extension(endpoint, (f"SIP/{endpoint}",))


@pytest.mark.parametrize(
    ("interface", "number"),
    [
        ("Local/1001@from-queue/n", "1001"),
        ("Local/1001@from/queue", "1001"),
        ("hint:1001@ext-local", "1001"),
        ("hint:1001@ext-local/n", "1001"),
        ("Local/1001", None),
        ("Local/1001/n@from-queue", None),
        ("Local/@from-queue", None),
        ("Local/1001@", None),
        ("Local/1001@/n", None),
        ("hint:1001", None),
        ("HINT:1001@ext-local", None),  # measured: a member's state does not follow it
        ("hint:@ext-local", None),
        ("xhint:1001@ext-local", None),
        ("Localx/1001@from-queue", None),
        ("PJSIP/1001@from-queue", None),
        ("Agent/1001@x", None),
        ("@1001", None),
        ("", None),
    ],
)
def test_only_a_whole_form_names_a_number(interface: str, number: str | None) -> None:
    assert number_of(interface) == number


@given(st.text(), st.text())
def test_no_interface_breaks_anything(interface: str, state_interface: str) -> None:
    with_member(interface, state_interface).of_extension(interface, (state_interface,))


def test_a_member_by_number_and_device_is_in_its_queue_once() -> None:
    queues = with_member("Local/1001@from-queue/n", "PJSIP/1001")
    assert queues.of_extension("1001", ("PJSIP/1001", "PJSIP/991001")) == {"sales"}
    queues.member_gone("sales", "Local/1001@from-queue/n")
    assert not queues.of_extension("1001", ("PJSIP/1001",))
