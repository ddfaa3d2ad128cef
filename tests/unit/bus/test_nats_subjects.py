"""Subjects of the bus in NATS."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.bus import nats_subjects as subjects

NAMES = st.text(max_size=40)


@given(NAMES)
def test_any_name_is_one_safe_token(name: str) -> None:
    token = subjects.token(name)
    assert re.fullmatch(r"[A-Za-z0-9_=-]+", token)
    assert subjects.name_of(token) == name


@given(NAMES, NAMES)
def test_no_two_names_share_a_token(one: str, other: str) -> None:
    assert (subjects.token(one) == subjects.token(other)) == (one == other)


@given(NAMES, NAMES, NAMES)
def test_a_subject_tells_who_speaks_for_which_call_server(server: str, collector: str, follower: str) -> None:
    assert subjects.told_by_collector(subjects.change(server, collector)) == (server, collector)
    assert subjects.told_by_collector(subjects.reply(follower, server, collector)) == (server, collector)
    for to in (None, collector):
        assert subjects.told_by_follower(subjects.ask(server, to, follower)) == (server, follower)


@given(NAMES, NAMES, NAMES, NAMES)
def test_one_hears_what_is_meant_for_it_and_no_more(server: str, other: str, collector: str, follower: str) -> None:
    hears = subjects.heard_by_follower([server], follower)
    assert covered(subjects.change(server, collector), hears)
    assert covered(subjects.reply(follower, other, collector), hears)
    assert covered(subjects.reply(other, server, collector), hears) == (other == follower)
    assert covered(subjects.change(other, collector), hears) == (other == server)
    asked = subjects.heard_by_collector([server], collector)
    assert covered(subjects.ask(server, None, follower), asked)
    assert covered(subjects.ask(server, collector, follower), asked)
    assert covered(subjects.ask(server, other, follower), asked) == (other == collector)
    assert covered(subjects.ask(other, None, follower), asked) == (other == server)


STRANGE = ["", "a.b", "x.v1.change.=1.c", "x.v1.ask.=1.all.=ffffff", "x.v1.change..", "x.v1.ask.=1.all.\u00e4"]


@pytest.mark.parametrize("subject", STRANGE)
def test_a_strangers_subject_names_nobody(subject: str) -> None:
    assert subjects.told_by_follower(subject) is None
    assert subjects.told_by_collector(subject.replace(".all", "")) is None


def covered(subject: str, patterns: list[str]) -> bool:
    """Whether a subscription to one of these subjects receives it, as NATS matches tokens."""
    return any(
        len(pattern.split(".")) == len(subject.split("."))
        and all(want in ("*", has) for want, has in zip(pattern.split("."), subject.split("."), strict=True))
        for pattern in patterns
    )
