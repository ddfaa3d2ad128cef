"""Two processes, whose links, lives and PostgreSQL come and go: the stored history never says what was not so.

The store is a model of the statements, so that thousands of rounds run in a second; the statements themselves are
tested against PostgreSQL (tests/integration/db/test_registration_history.py).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest

from service.db import registration_history as statements
from service.db.pool import Database
from service.db.registration_history import Lease
from service.domain.presence.item import Item
from service.domain.registration_history import Change, Observation
from service.domain.registration_report import StoredChange, StoredHistory, StoredObservation, report
from service.errors import DatabaseUnavailable
from service.runtime.registration_history import RegistrationHistory

EPOCH = datetime(2026, 11, 20, tzinfo=UTC)
NUMBERS = ("1", "2", "3")


@dataclass
class Store:
    """What PostgreSQL does."""

    now: float = 1000.0
    up: bool = True
    holder: UUID | None = None
    term: int = 0
    held_until: float = 0.0
    observed_until: float | None = None
    rows: dict[str, list[Change]] = field(default_factory=lambda: {number: [] for number in NUMBERS})
    observations: list[Observation] = field(default_factory=list)

    def _take(self, holder: UUID) -> int | None:
        if not self.up:
            raise DatabaseUnavailable("away")
        if self.holder != holder:
            if self.held_until >= self.now:
                return None
            self.holder, self.term = holder, self.term + 1
        self.held_until = self.now + statements.LEASE
        return self.term

    async def lease(self, _database: object, _name: str, holder: UUID) -> Lease:
        term = self._take(holder)
        return Lease(term, None if self.observed_until is None else self.now - self.observed_until)

    async def release(self, _database: object, _name: str, _holder: UUID) -> None:
        self.held_until = self.now - 1

    async def last_values(self, _database: object, _name: str, after: str) -> dict[str, bool | None]:
        return {number: rows[-1].registered for number, rows in self.rows.items() if rows and number > after}

    async def store(
        self, _database: object, _name: str, holder: UUID, changes: list[Change], observed: list[Observation], _: object
    ) -> list[str] | None:
        if self._take(holder) is None:
            return None
        for change in changes:
            self.rows[change.extension].append(change)
        for each in observed:
            last = self.observations[-1] if self.observations else None
            if last is not None and last.until >= each.since:
                self.observations[-1] = Observation(last.since, max(last.until, each.until))
            else:
                self.observations.append(each)
        newest = max((*(change.at for change in changes), *(each.until for each in observed)))
        self.observed_until = max(self.observed_until or 0.0, newest)
        return []

    async def forget_old(self, _database: object) -> None: ...


class Process:
    """A process, its link, and what it has composed."""

    def __init__(self, store: Store, truth: dict[str, bool]) -> None:
        self.store, self.truth = store, truth
        self.states = SimpleNamespace(current=False, confirmed_at=float("-inf"))
        link = cast(Any, SimpleNamespace(states=self.states))
        self.history = RegistrationHistory(cast(Database, None), {"main": link}, clock=lambda: store.now)
        self.items = {number: item(number, None) for number in NUMBERS}

    def set_link(self, live: bool) -> None:
        if live is not self.states.current:
            self.states.current = live
            self.history.link_changed("main", live)
            for number in NUMBERS:
                self.compose(number)

    def compose(self, number: str) -> None:
        new = item(number, self.truth[number] if self.states.current else None)
        self.history.observe(self.items[number], new)
        self.items[number] = new

    async def tick(self) -> None:
        if self.states.current:
            self.states.confirmed_at = self.store.now
        await self.history.write()


def item(number: str, registered: bool | None) -> Item:
    return Item(number, None, None, "main", "Unknown", registered, None, None, None, "not_set", "", False, "")


@pytest.mark.parametrize("seed", range(100))
async def test_what_the_history_says_was_so(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    chance, store = random.Random(seed), Store()
    for name in ("lease", "release", "last_values", "store", "forget_old"):
        monkeypatch.setattr(statements, name, getattr(store, name))
    truth = dict.fromkeys(NUMBERS, False)
    past: list[tuple[float, dict[str, bool]]] = []
    processes = [Process(store, truth), Process(store, truth)]
    for _ in range(300):
        store.now += chance.choice((0.5, 1.0, 4.0))
        match chance.choices(("event", "tick", "link", "database", "kill", "end"), (10, 10, 2, 1, 1, 1))[0]:
            case "event":
                number = chance.choice(NUMBERS)
                truth[number] = not truth[number]
                for process in processes:
                    process.compose(number)
            case "tick":
                await chance.choice(processes).tick()
            case "link":
                chance.choice(processes).set_link(chance.random() < 0.7)
            case "database":
                store.up = chance.random() < 0.7
            case "kill":
                processes[chance.randrange(2)] = Process(store, truth)
            case "end":
                await processes[0].history.flush()
                processes[0] = Process(store, truth)
        past.append((store.now, dict(truth)))
    store.up = True
    store.now += statements.LEASE + 1
    for process in processes:
        process.set_link(True)
        await process.tick()
    _check(store, past)


def _check(store: Store, past: list[tuple[float, dict[str, bool]]]) -> None:
    def moment(at: float) -> datetime:
        return EPOCH + timedelta(seconds=at)

    compared = 0
    for number in NUMBERS:
        changes = store.rows[number]
        assert changes == sorted(changes, key=lambda change: change.at)
        made = report(
            StoredHistory(
                moment(store.now),
                [StoredChange(moment(change.at), change.registered, change.exact) for change in changes],
                [StoredObservation(moment(each.since), moment(each.until)) for each in store.observations],
                {},
            ),
            days=1,
        )
        for at, truth in past:
            before = [change.registered for change in changes if change.at <= at]
            if before and not any(gap.since <= moment(at) <= gap.until for gap in made.not_observed):
                assert before[-1] is truth[number], f"{number} at {at}: {changes}, {store.observations}"
                compared += 1
    assert compared or not store.observations or len(store.observations) < 5
