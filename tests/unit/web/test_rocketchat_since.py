"""`users.presence?from=`: moments are compared as text, which says the same as comparing them as moments."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from service.domain.timestamps import rfc3339_ms
from service.web.presence.rocketchat import _parse_since

ZONES = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
CHANGED = st.integers(1_500_000_000_000_000, 2_500_000_000_000_000).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@given(CHANGED, st.one_of(st.datetimes(timezones=ZONES), CHANGED))
def test_a_change_is_after_a_moment_in_text_as_in_time(changed: datetime, since: datetime) -> None:
    shown = rfc3339_ms(changed)
    asked = _parse_since(since.isoformat())
    assert asked is not None
    assert (shown > asked) is (datetime.fromisoformat(shown) > since)


@given(CHANGED, st.integers(-2000, 2000), ZONES)
def test_also_where_they_are_microseconds_apart(changed: datetime, apart: int, zone: timezone) -> None:
    since = (changed + timedelta(microseconds=apart)).astimezone(zone)
    shown, asked = rfc3339_ms(changed), _parse_since(since.isoformat())
    assert asked is not None
    assert (shown > asked) is (datetime.fromisoformat(shown) > since)
