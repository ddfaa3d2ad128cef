"""What was true at which time, in the service's own values, made from rows without its code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from service.domain.directory_tables import Token
from service.domain.models import Extension, Person, Phone, Profile, Role, TokenScope
from tests.simulation.database.rows import Row, Rows, phones_of

Key = tuple[str, Any]
ROLES = {role.value for role in Role}


class Truth:
    """A history of each user, token and extension. A row that this release cannot read counts as none."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._history: dict[Key, list[tuple[float, Any]]] = {}
        self.rows = Rows()
        self.observers: list[Callable[[], None]] = []
        """Called after each change."""

    def become(self, rows: Rows, changed: frozenset[Key] | None = None) -> None:
        """Rows are these from now on; `changed` are the keys that may differ, None for all."""
        self.rows = rows
        if changed is None:
            changed = frozenset(self._history) | keys_of(rows)
        for key in sorted(changed, key=repr):
            history, value = self._history.setdefault(key, [(float("-inf"), None)]), value_of(rows, key)
            if history[-1][1] != value:
                history.append((self._clock(), value))
        for observe in self.observers:
            observe()

    def now(self, key: Key) -> Any:
        return self._history[key][-1][1] if key in self._history else None

    def held(self, key: Key, since: float, *, born: bool = False) -> list[Any]:
        """The values that it had from a moment on, the newest first; `born`: from its first one, if that was later."""
        values: list[Any] = []
        for at, value in reversed(self._history.get(key, [(float("-inf"), None)])):
            if not (born and values and at == float("-inf")):
                values.append(value)
            if at <= since:
                break
        return values

    def last_change(self, key: Key) -> float:
        return self._history[key][-1][0] if key in self._history else float("-inf")

    def all_keys(self) -> list[Key]:
        return list(self._history)


def keys_of(rows: Rows) -> frozenset[Key]:
    tables = (("user", "users"), ("token", "tokens"), ("extension", "extensions"))
    return frozenset((kind, key) for kind, table in tables for key in rows[table])


def value_of(rows: Rows, key: Key) -> Any:
    kind, name = key
    if kind == "user":
        user = rows["users"].get(name)
        return None if user is None or user["user_type"] not in ROLES else person_of(user)
    if kind == "token":
        token = rows["tokens"].get(name)
        if token is None:
            return None
        return Token(token["user_id"], token["expires_at"].timestamp(), TokenScope(token["scope"]))
    row = rows["extensions"].get(name)
    if row is None:
        return None
    phones = tuple(map(_phone, phones_of(rows, name)))
    return Extension(name, row["call_server"], row["enabled"], row["user_id"], row["local_number"] or name, phones)


def person_of(user: Row) -> Person:
    names = " ".join(part for part in (user["first_name"], user["last_name"]) if part)
    return Person(
        user_id=user["user_id"],
        uid=user["uid"],
        name=user["name"],
        role=Role(user["user_type"]),
        active=user["active"],
        display_name=user["fullname"] or names or user["name"],
        email=user["email"],
        email_verified=user["email_verified"],
    )


def _phone(row: Row) -> Phone:
    return Phone(
        phone_id=row["phone_id"],
        endpoint=row["endpoint"],
        auth_username=row["auth_username"],
        secret=row["secret"],
        profile=Profile(row["profile"]),
        label=row["label"],
        missing=row["missing_since"] is not None,
        kind=row["kind"],
    )
