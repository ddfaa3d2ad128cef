"""Reads PostgreSQL into the directory: everything, or the rows that hints name.

A row that this release cannot make sense of, perhaps a newer one's, is left out; all others are served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec
import structlog

from service.db import sql
from service.db.change_hints import Rows
from service.db.extensions import NUMBER
from service.db.pool import Database, again_on_fresh_statements
from service.db.users import person_of
from service.domain.directory import Directory
from service.domain.directory_tables import DirectoryReread, Token
from service.domain.models import Extension
from service.errors import RowUnreadable

log = structlog.get_logger(__name__)

SQL = sql.load("directory")
LINES = 10
"""Rows that are named in the log at each reading; of more only the number is told."""
BATCH = 250
"""Rows that are taken in one turn of the loop when everything is read: a few milliseconds."""
READ_ALL_DEADLINE = 60.0
"""Seconds that reading everything may take: hundreds of thousands of rows, on a busy machine."""
T = TypeVar("T")
Key = tuple[str, Any]
"""What kind of row, and its key."""


class DirectoryLoader:
    """Rows are read by one task at a time, so that what is read is written in the order of reading.

    So is everything; both may go on at once, see `DirectoryReread`. Each of `changed` is called after the directory
    changed, with the extensions concerned, which may be none.
    """

    def __init__(
        self, database: Database, directory: Directory, changed: Sequence[Callable[[frozenset[str]], None]]
    ) -> None:
        self._database = database
        self._directory = directory
        self._changed = changed
        self._left_out: set[Key] = set()

    @again_on_fresh_statements
    async def read_all(self) -> None:
        """Read everything, as of one moment, a few rows in each turn of the loop; all of it counts from its end on."""
        rereading = self._directory.reread()
        try:
            left_out = await self._read_into(rereading)
        except BaseException:
            self._directory.give_up(rereading)
            raise
        before = self._directory.replace(rereading)
        touched = _keys(rereading.touched_people, rereading.touched_tokens, rereading.touched_extensions)
        untouched = {key: error for key, error in left_out.items() if key not in touched}
        self._tell(untouched, self._left_out - touched)
        self._report(frozenset(rereading.concerned))
        while before.empty_some(BATCH):  # noqa: ASYNC110 - it takes turns of the loop
            await asyncio.sleep(0)

    async def _read_into(self, rereading: DirectoryReread) -> dict[Key, Exception]:
        left_out: dict[Key, Exception] = {}
        async with (
            self._database.connection(READ_ALL_DEADLINE) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            async for rows in self._batches(connection, SQL["all_people"]):
                rereading.add_people(person for _, person in _made("user", rows, person_of, left_out))
            async for rows in self._batches(connection, SQL["all_tokens"]):
                rereading.add_tokens(token for _, token in _made("token", rows, _token, left_out))
            async for rows in self._batches(connection, SQL["all_extensions"]):
                rereading.add_extensions(found for _, found in _made("extension", rows, _extension, left_out))
        return left_out

    async def _batches(
        self, connection: asyncpg.pool.PoolConnectionProxy, statement: str
    ) -> AsyncIterator[list[asyncpg.Record]]:
        """What a statement finds, a few rows at a time: between two others have their turns."""
        cursor = await connection.cursor(statement, timeout=self._database.deadline)
        while rows := await cursor.fetch(BATCH, timeout=self._database.deadline):
            yield rows

    async def read(self, rows: Rows) -> None:
        """Read the rows that hints named."""
        user_ids, hashes, numbers = sorted(rows.user_ids), sorted(rows.token_hashes), sorted(rows.extensions)
        async with self._database.connection() as connection:
            people = await connection.fetch(SQL["people"], user_ids) if user_ids else []
            tokens = await connection.fetch(SQL["tokens"], hashes) if hashes else []
            extensions = await connection.fetch(SQL["extensions"], numbers) if numbers else []
        left_out: dict[Key, Exception] = {}
        found_people = dict(_made("user", people, person_of, left_out))
        for user_id in user_ids:
            self._directory.put_person(user_id, found_people.get(user_id))
        found_tokens = dict(_made("token", tokens, _token, left_out))
        for hash_ in hashes:
            found = found_tokens.get(hash_)
            self._directory.put_token(hash_, found[1] if found else None)
        found_extensions = dict(_made("extension", extensions, _extension, left_out))
        for number in numbers:
            self._directory.put_extension(number, found_extensions.get(number))
        self._tell(left_out, self._left_out & _keys(user_ids, hashes, numbers))
        held = {mine for user_id in user_ids if (mine := self._directory.number_of(user_id))}
        self._report(frozenset(rows.extensions | held))

    def confirmed(self, at: float) -> None:
        """What was committed before this moment has been read."""
        self._directory.confirmed(at)

    def left_out(self) -> Rows:
        """The rows that could not be read the last time."""
        of = {kind: {key for each, key in self._left_out if each == kind} for kind in ("user", "token", "extension")}
        return Rows(of["user"], of["token"], of["extension"])

    def _report(self, concerned: frozenset[str]) -> None:
        for changed in self._changed:
            changed(concerned)

    def _tell(self, left_out: dict[Key, Exception], before: set[Key]) -> None:
        """Log what is left out from now on, once; `before`: what had been, of all that was read."""
        new = [key for key in left_out if key not in self._left_out]
        self._left_out = (self._left_out - before) | set(left_out)
        self._directory.left_out(len(self._left_out), {key for kind, key in self._left_out if kind == "user"})
        for kind, key in new[:LINES]:
            told = key.hex()[:16] if isinstance(key, bytes) else key
            log.error("directory_row_unreadable", kind=kind, key=told, error=str(left_out[kind, key]))
        if len(new) > LINES:
            log.error("directory_row_warnings_suppressed", rows=len(new) - LINES)


def _keys(people: Iterable[int], tokens: Iterable[bytes], extensions: Iterable[str]) -> set[Key]:
    of_each = (("user", people), ("token", tokens), ("extension", extensions))
    return {(kind, key) for kind, keys in of_each for key in keys}


def _made(
    kind: str, rows: Iterable[asyncpg.Record], make: Callable[[asyncpg.Record], T], left_out: dict[Key, Exception]
) -> Iterator[tuple[Any, T]]:
    """What rows hold, with their key, which is the first column. Which cannot be made goes to `left_out`."""
    for row in rows:
        try:
            made = make(row)
        except Exception as error:
            left_out[kind, row[0]] = error
        else:
            yield row[0], made


def _token(row: asyncpg.Record) -> tuple[bytes, Token]:
    return row["token_hash"], msgspec.convert({"user_id": row["user_id"], "expires_at": row["expires_at"]}, Token)


def _extension(row: asyncpg.Record) -> Extension:
    values = dict(row)
    if not NUMBER.fullmatch(row["extension"]):  # Asterisk is asked for it by name: a line end would be another header
        raise RowUnreadable("the number of an extension is not 1 to 40 of A-Z a-z 0-9 _ -")
    return msgspec.convert({**values, "number": values["extension"]}, Extension)
