"""Answers the statements of `service/db/sql/`, each by its name: `directory.people`, `users.create`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from asyncpg.protocol import protocol

from service.db import sql
from service.db.user_loader import READ
from tests.simulation.database.rows import Row, Transaction, phones_of

SUBJECTS = (
    "audit",
    "directory",
    "extensions",
    "ownership",
    "phones",
    "registration_history",
    "tokens",
    "user_changes",
    "users",
)
PERSON = (
    "user_id", "uid", "name", "user_type", "active", "fullname", "first_name", "last_name", "email", "email_verified"
)  # fmt: skip
NAMES = {text: f"{subject}.{name}" for subject in SUBJECTS for name, text in sql.load(subject).items()}
NAMES[READ] = "users.get_many"
NAMES["select pg_notify($1, $2)"] = "pg_notify"
_create_record: Callable[..., asyncpg.Record] = vars(protocol)["_create_record"]
Handler = Callable[..., "Answer"]
ANSWERED: dict[str, Handler] = {}
WRITING: set[str] = set()
"""Statements that write, or lock rows as writers do."""


@dataclass(frozen=True)
class Answer:
    """Rows, and the tag of the command."""

    rows: list[asyncpg.Record]
    status: str


def answers(name: str, *, writes: bool = False) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        ANSWERED[name] = handler
        if writes:
            WRITING.add(name)
        return handler

    return register


def records(columns: Sequence[str], rows: Iterable[Sequence[Any]], command: str = "SELECT") -> Answer:
    mapping = {name: index for index, name in enumerate(columns)}
    made = [_create_record(mapping, tuple(row)) for row in rows]
    return Answer(made, f"{command} {len(made)}" if command != "INSERT" else f"INSERT 0 {len(made)}")


def picked(columns: Sequence[str], rows: Iterable[Row], command: str = "SELECT") -> Answer:
    return records(columns, ([row[name] for name in columns] for row in rows), command)


def count(command: str, number: int) -> Answer:
    return Answer([], f"{command} 0 {number}" if command == "INSERT" else f"{command} {number}")


# --- the directory -----------------------------------------------------------------------------------------------


@answers("directory.all_people")
def _all_people(tables: Transaction) -> Answer:
    return picked(PERSON, tables["users"].values())


@answers("directory.people")
def _people(tables: Transaction, user_ids: list[int]) -> Answer:
    return picked(PERSON, (tables["users"][each] for each in user_ids if each in tables["users"]))


def _tokens_of(rows: Iterable[Row]) -> Answer:
    columns = ("token_hash", "user_id", "expires_at", "scope")
    return records(columns, ((r["token_hash"], r["user_id"], r["expires_at"].timestamp(), r["scope"]) for r in rows))


@answers("directory.all_tokens")
def _all_tokens(tables: Transaction) -> Answer:
    return _tokens_of(token for token in tables["tokens"].values() if token["expires_at"] > tables.now)


@answers("directory.tokens")
def _tokens(tables: Transaction, hashes: list[bytes]) -> Answer:
    return _tokens_of(tables["tokens"][each] for each in hashes if each in tables["tokens"])


def _extensions_of(tables: Transaction, rows: Iterable[Row]) -> Answer:
    columns = ("extension", "call_server", "enabled", "user_id", "local_number", "phones")
    return records(
        columns,
        (
            (*(row[name] for name in columns[:-1]), json.dumps(phones) if phones else None)
            for row in rows
            for phones in [[_stored(phone) for phone in phones_of(tables, row["extension"])]]
        ),
    )


def _stored(phone: Row) -> list[Any]:
    names = ("phone_id", "endpoint", "auth_username", "secret", "profile", "label")
    return [*(phone[name] for name in names), phone["missing_since"] is not None, False, phone["kind"], None]


@answers("directory.all_extensions")
def _all_extensions(tables: Transaction) -> Answer:
    return _extensions_of(tables, tables["extensions"].values())


@answers("directory.extensions")
def _extensions(tables: Transaction, numbers: list[str]) -> Answer:
    return _extensions_of(tables, (tables["extensions"][each] for each in numbers if each in tables["extensions"]))


@answers("directory.credential_owners")
def _owners(tables: Transaction) -> Answer:
    return picked(("name", "credentials"), tables["call_servers"].values())


@answers("pg_notify")
def _notify(tables: Transaction, channel: str, payload: str) -> Answer:
    tables.notify(payload, channel)
    return records(("pg_notify",), [("",)])
