"""What the stored registration history says about a time: transitions, and when nothing was observed. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from service.domain.flapping import LOSSES, WINDOW

TAIL = timedelta(seconds=20)
"""What the writer may not have stored yet. A longer time since the last observation is not observed."""


@dataclass(frozen=True, slots=True)
class StoredChange:
    """From `at` on the extension is registered, is not, or (None) neither is known."""

    at: datetime
    registered: bool | None
    exact: bool


@dataclass(frozen=True, slots=True)
class StoredObservation:
    """A time in which the call server was observed without a gap; likewise one in which it was not."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class StoredHistory:
    """Rows of one extension, oldest first. One change from before the time may be among them."""

    now: datetime
    changes: Sequence[StoredChange]
    observations: Sequence[StoredObservation]
    left_out: Mapping[date, int]
    """Changes of a day, in UTC, that are only counted."""


@dataclass(frozen=True, slots=True)
class RegistrationReport:
    """The history since `since`."""

    since: datetime
    until: datetime
    registered_before: bool | None
    """Whether it was registered at `since`; None if that is not known."""
    changes: Sequence[StoredChange]
    not_observed: Sequence[StoredObservation]
    losses: int
    """Times that it lost its last registration; more if changes are left out."""
    flapping: bool


def report(stored: StoredHistory, days: int) -> RegistrationReport:
    """Say what is known of the last days."""
    since = stored.now - timedelta(days=days)
    changes = [change for change in stored.changes if change.at >= since]
    gaps = [*_gaps(stored, since), *_overflows(stored, since), *_unknown(stored, since)]
    not_observed = _merged(gaps)
    before = [change.registered for change in stored.changes if change.at < since][-1:]
    hidden = any(gap.since <= since for gap in not_observed)
    losses = [change for change in changes if change.registered is False and change.exact]
    recent = stored.now - timedelta(seconds=WINDOW)
    return RegistrationReport(
        since=since,
        until=stored.now,
        registered_before=before[0] if before and not hidden else None,
        changes=changes,
        not_observed=not_observed,
        losses=len(losses),
        flapping=sum(change.at >= recent for change in losses) >= LOSSES,
    )


def _gaps(stored: StoredHistory, since: datetime) -> Iterator[StoredObservation]:
    """Yield the times between observations."""
    covered_until = since
    for observation in stored.observations:
        if observation.since > covered_until:
            yield StoredObservation(covered_until, observation.since)
        covered_until = max(covered_until, observation.until)
    if stored.now - covered_until > TAIL:
        yield StoredObservation(covered_until, stored.now)


def _overflows(stored: StoredHistory, since: datetime) -> Iterator[StoredObservation]:
    """Yield, for each day with changes that are left out, its time after the last stored one."""
    for day in stored.left_out:
        begin = datetime.combine(day, time(), UTC)
        end = begin + timedelta(days=1)
        last = max((change.at for change in stored.changes if begin <= change.at < end), default=begin)
        if end > since:
            yield StoredObservation(max(last, since), min(end, stored.now))


def _unknown(stored: StoredHistory, since: datetime) -> Iterator[StoredObservation]:
    """Yield the times in which neither was known of this extension, although its call server was observed."""
    for index, change in enumerate(stored.changes):
        if change.registered is None:
            following = stored.changes[index + 1 :]
            end = following[0].at if following else stored.now
            if end > since:
                yield StoredObservation(max(change.at, since), end)


def _merged(gaps: Iterable[StoredObservation]) -> list[StoredObservation]:
    merged: list[StoredObservation] = []
    for gap in sorted(gaps, key=lambda each: (each.since, each.until)):
        if merged and gap.since <= merged[-1].until:
            merged[-1] = StoredObservation(merged[-1].since, max(merged[-1].until, gap.until))
        else:
            merged.append(gap)
    return merged
