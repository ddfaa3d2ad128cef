"""The row model: what is committed, as tables that never change, and the copy that a transaction works on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

Row = Mapping[str, Any]
Table = dict[Any, Row]
TABLES = ("users", "tokens", "extensions", "phones", "activity", "call_servers", "registration_writers")
KEYS = {"users": "user", "tokens": "token", "extensions": "extension", "phones": "extension"}
"""Kinds of change hints by table: the row of a phone is read with its extension."""
MANY = 100
"""Rows of one statement above which its hint names all."""


@dataclass(frozen=True)
class Rows:
    """All committed tables at one moment. A commit makes another one, which shares the tables that stay."""

    tables: Mapping[str, Table] = field(default_factory=lambda: {name: {} for name in TABLES})

    def __getitem__(self, table: str) -> Table:
        return self.tables[table]


@dataclass(frozen=True)
class Commit:
    """One transaction's result."""

    number: int
    at: float
    """Seconds of the world's uptime."""
    rows: Rows
    changed: frozenset[tuple[str, Any]]
    """Kind and key, as in hints."""
    audit: tuple[Row, ...]
    notifications: tuple[tuple[str, str], ...]
    """Channel and payload, without repetitions."""
    by_service: bool
    """Whether a session of the service made it, which audits its changes; else an operator, whom triggers audit."""
    purge: bool = False
    """Whether it only removed tokens that had expired."""


class Transaction:
    """What one transaction sees and changes. It writes on copies, so an open snapshot stays as it was."""

    def __init__(self, rows: Rows, ids: Callable[[str], int], now: Callable[[], datetime]) -> None:
        self._rows = rows
        self._copies: dict[str, Table] = {}
        self.next_id = ids
        self.now = now()
        """The time of day at its start, as `now()` has it."""
        self.changed: dict[tuple[str, Any], None] = {}
        self.audit: list[Row] = []
        self.notifications: dict[tuple[str, str], None] = {}
        self.purges = False
        self._touched: dict[str, set[Any]] = {}

    def __getitem__(self, table: str) -> Table:
        return self._copies.get(table, self._rows[table])

    def see(self, rows: Rows) -> None:
        """Take the newest commit, as each statement of a transaction that has written nothing does."""
        if not self._copies:
            self._rows = rows

    @property
    def writes(self) -> bool:
        return bool(self.changed or self.audit or self.notifications or self._copies)

    def put(self, table: str, key: Any, row: Row | None) -> None:
        """Set a row; None deletes it. A row that stays equal is no change."""
        before = self[table].get(key)
        if before == row:
            return
        if table not in self._copies:
            self._copies[table] = dict(self._rows[table])
        if row is None:
            del self._copies[table][key]
        else:
            self._copies[table][key] = row
        if table in KEYS:
            named = (row or before or {})["extension"] if table == "phones" else key
            self.changed[KEYS[table], named] = None
            self._touched.setdefault(KEYS[table], set()).add(named)
            if table == "phones" and before is not None and before["extension"] != named:
                self._touched["extension"].add(before["extension"])

    def change(self, table: str, key: Any, **values: Any) -> None:
        self.put(table, key, {**self[table][key], **values})

    def end_statement(self) -> None:
        """Queue the hints of what the statement has changed."""
        for kind, keys in self._touched.items():
            if len(keys) > MANY:
                self.notify(f"{kind} *")
            else:
                for key in sorted(keys):
                    self.notify(f"{kind} \\x{key.hex()}" if isinstance(key, bytes) else f"{kind} {key}")
        self._touched = {}

    def forget_touched(self) -> None:
        """Leave out the hints of rows that a hint of all covers."""
        self._touched = {}

    def notify(self, payload: str, channel: str = "connector_changes") -> None:
        self.notifications[channel, payload] = None

    def result(self) -> Rows:
        """The tables after it."""
        return Rows({**self._rows.tables, **self._copies}) if self._copies else self._rows


def phones_of(tables: Rows | Transaction, number: str) -> list[Row]:
    """The phones of an extension, the own one first."""
    extension = tables["extensions"].get(number)
    own = number if extension is None else extension["local_number"] or number
    found = [phone for phone in tables["phones"].values() if phone["extension"] == number]
    return sorted(found, key=lambda phone: (phone["endpoint"] != own, phone["phone_id"]))


def of_user(tables: Rows | Transaction, user_id: int | None) -> Row | None:
    """The extension that is assigned to a user."""
    if user_id is None:
        return None
    return next((row for row in tables["extensions"].values() if row["user_id"] == user_id), None)
