"""The count of failed logins: a window that slides, and memory that is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.networks import prefix
from service.web.auth.failed_logins import FailedLogins
from service.web.auth.known_addresses import KnownAddresses


@given(st.lists(st.tuples(st.floats(0, 90), st.sampled_from([b"a", b"b", None])), max_size=60))
def test_it_counts_what_failed_within_the_last_minute(steps: list[tuple[float, bytes | None]]) -> None:
    """A step without a key only looks."""
    now = 0.0
    failures, hits = FailedLogins(10, clock=lambda: now), []
    for passed, key in steps:
        now += passed
        if key is not None:
            failures.hit(key)
            hits.append((now, key))
        for each in (b"a", b"b"):
            expected = [at for at, whose in hits if whose == each and at > now - 60][-10:]
            assert failures.count(each) == len(expected)
            wait = failures.seconds_until_below(each, 3)
            assert wait == (0 if len(expected) < 3 else pytest.approx(expected[-3] + 60 - now))


def test_a_million_names_take_no_more_memory_than_is_allowed() -> None:
    failures = FailedLogins(10, max_keys=1_000)
    for number in range(20_000):
        failures.hit(b"%d" % number)
        failures.hit(b"admin")
    assert len(failures) == 1_000
    assert failures.count(b"admin") == 10


def test_what_no_longer_counts_is_forgotten() -> None:
    now = 0.0
    failures = FailedLogins(10, clock=lambda: now)
    for number in range(100):
        failures.hit(b"%d" % number)
    now = 61.0
    failures.hit(b"new")
    assert len(failures) == 1


def test_who_logged_in_longest_ago_is_forgotten_first() -> None:
    known = KnownAddresses(max_pairs=2)
    for user_id, place in ((1, "a"), (2, "a"), (1, "a"), (3, "b")):
        known.add(user_id, place)
    assert (known.has_login(1, "a"), known.has_login(2, "a"), known.has_login(3, "b")) == (True, False, True)
    assert (known.has_any_login("a"), known.has_any_login("b"), len(known)) == (True, True, 2)
    known.add(4, "c")
    assert (known.has_any_login("a"), known.has_any_login("c")) == (False, True)


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::/64"),
        ("unknown", "unknown"),
    ],
)
def test_an_ipv6_customer_is_one_place(address: str, place: str) -> None:
    assert prefix(address) == place
