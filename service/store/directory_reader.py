"""Reads PostgreSQL into the directory: everything, or the rows that hints name."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import asyncpg

from service.live.directory import Directory, Token
from service.model import Extension
from service.store import sql
from service.store.database import Database
from service.store.users import person_of

SQL = sql.load("directory")


class DirectoryReader:
    """Used by one task at a time, so that what is read is written in the order of reading.

    `changed` is called after the directory changed, with the extensions concerned, or None for all; with none of them
    after tokens did.
    """

    def __init__(
        self, database: Database, directory: Directory, changed: Callable[[frozenset[str] | None], None]
    ) -> None:
        self._database = database
        self._directory = directory
        self._changed = changed

    async def read_all(self) -> None:
        """Read everything, as of one moment. Raises DatabaseUnavailable."""
        async with (
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            people = await connection.fetch(SQL["all_people"])
            tokens = await connection.fetch(SQL["all_tokens"])
            extensions = await connection.fetch(SQL["all_extensions"])
        self._directory.replace(map(person_of, people), map(_token, tokens), map(_extension, extensions))
        self._changed(None)

    async def read(self, hints: Iterable[str]) -> None:
        """Read the rows that `<kind> <key>` hints name; a `*`, or a hint that is not understood, means everything."""
        keys: dict[str, set[str]] = {"user": set(), "token": set(), "extension": set()}
        for hint in hints:
            kind, _, key = hint.partition(" ")
            if kind not in keys or key in ("", "*"):
                await self.read_all()
                return
            keys[kind].add(key)
        user_ids = [int(key) for key in keys["user"]]
        hashes = [bytes.fromhex(key.removeprefix("\\x")) for key in keys["token"]]
        await self._read_rows(user_ids, hashes, sorted(keys["extension"]))
        held = {number for user_id in user_ids if (number := self._directory.number_of(user_id))}
        self._changed(frozenset(keys["extension"] | held))

    def confirmed(self, at: float) -> None:
        """What was committed before this moment has been read."""
        self._directory.confirmed(at)

    async def _read_rows(self, user_ids: list[int], hashes: list[bytes], numbers: list[str]) -> None:
        async with self._database.connection() as connection:
            people = await connection.fetch(SQL["people"], user_ids) if user_ids else []
            tokens = await connection.fetch(SQL["tokens"], hashes) if hashes else []
            extensions = await connection.fetch(SQL["extensions"], numbers) if numbers else []
        found_people = {row["user_id"]: person_of(row) for row in people}
        for user_id in user_ids:
            self._directory.put_person(user_id, found_people.get(user_id))
        found_tokens = dict(map(_token, tokens))
        for hash_ in hashes:
            self._directory.put_token(hash_, found_tokens.get(hash_))
        found_extensions = {row["extension"]: _extension(row) for row in extensions}
        for number in numbers:
            self._directory.put_extension(number, found_extensions.get(number))


def _token(row: asyncpg.Record) -> tuple[bytes, Token]:
    return row["token_hash"], Token(row["user_id"], row["expires_at"])


def _extension(row: asyncpg.Record) -> Extension:
    return Extension(row["extension"], row["call_server"], row["secret"], row["enabled"], row["user_id"])
