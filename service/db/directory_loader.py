"""Reads PostgreSQL into the directory: everything, or the rows that hints name.

A row that this release cannot parse, perhaps a newer release's, is left out; all others are served.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import asyncpg
import msgspec
import structlog

from service.db import sql
from service.db.change_hints import Rows
from service.db.pool import Database, retry_outdated_statements
from service.db.users import parse_person
from service.domain.directory import Directory
from service.domain.directory_tables import DirectoryReread, Token
from service.domain.extension_names import ENDPOINT_NAME, EXTENSION_NUMBER
from service.domain.models import Extension, Phone, PhoneSetup, Profile
from service.errors import RowUnreadable

log = structlog.get_logger(__name__)

SQL = sql.load("directory")
MAX_LOGGED_ROWS = 10
"""Left-out rows that one read logs individually; of the others it logs the number."""
BATCH_SIZE = 250
"""Rows of a full read that are parsed in one turn of the loop, which takes a few milliseconds."""
FULL_READ_DEADLINE = 60.0
"""Seconds that a full read may take. It suffices for hundreds of thousands of rows on a busy machine."""


class _StoredPhone(msgspec.Struct, frozen=True, array_like=True):
    """A phone as the statements return it."""

    phone_id: int
    endpoint: str
    auth_username: str
    secret: str | None
    profile: Profile
    label: str
    missing: bool
    encrypted: bool
    kind: str
    setup: tuple[str | None, float | None, str | None] | None
    """The link's hash in hexadecimal digits and its expiry, and the hash of the device's URL."""


_decode_phones = msgspec.json.Decoder(list[_StoredPhone]).decode
T = TypeVar("T")
Key = tuple[str, Any]
"""A row's kind and key."""


class DirectoryLoader:
    """One task at a time reads rows, so that they are applied in the order of reading; one at a time reads everything.

    Both may run concurrently, see `DirectoryReread`. Each callback in `changed` is called after the directory has
    changed, with the affected extensions, possibly none. `owners_read` gets the owner of the endpoints by call server.
    """

    def __init__(
        self,
        database: Database,
        directory: Directory,
        changed: Sequence[Callable[[frozenset[str]], None]],
        owners_read: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._changed = changed
        self._owners_read = owners_read
        self._left_out: set[Key] = set()

    @retry_outdated_statements
    async def read_all(self) -> None:
        """Read everything from one database snapshot, a batch per turn of the loop, then replace the directory."""
        reread = self._directory.begin_reread()
        try:
            left_out = await self._read_into(reread)
        except BaseException:
            self._directory.cancel_reread(reread)
            raise
        replaced = self._directory.end_reread(reread)
        touched = _keys(reread.touched_people, reread.touched_tokens, reread.touched_extensions)
        untouched = {key: error for key, error in left_out.items() if key not in touched}
        self._log_left_out(untouched, self._left_out - touched)
        self._notify(frozenset(reread.affected))
        while replaced.discard_batch(BATCH_SIZE):  # noqa: ASYNC110 - it takes turns of the loop
            await asyncio.sleep(0)

    async def _read_into(self, reread: DirectoryReread) -> dict[Key, Exception]:
        left_out: dict[Key, Exception] = {}
        async with (
            self._database.connection(FULL_READ_DEADLINE) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            owners = await connection.fetch(SQL["credential_owners"])
            self._owners_read({row["name"]: row["credentials"] for row in owners})
            async for rows in self._batches(connection, SQL["all_people"]):
                reread.add_people(person for _, person in _parse_rows("user", rows, parse_person, left_out))
            async for rows in self._batches(connection, SQL["all_tokens"]):
                reread.add_tokens(token for _, token in _parse_rows("token", rows, _parse_token, left_out))
            async for rows in self._batches(connection, SQL["all_extensions"]):
                parsed = _parse_rows("extension", rows, _parse_extension, left_out)
                reread.add_extensions(extension for _, extension in parsed)
        return left_out

    async def _batches(
        self, connection: asyncpg.pool.PoolConnectionProxy, statement: str
    ) -> AsyncIterator[list[asyncpg.Record]]:
        """Iterate over a statement's rows in batches; other tasks run in between."""
        cursor = await connection.cursor(statement, timeout=self._database.deadline)
        while rows := await cursor.fetch(BATCH_SIZE, timeout=self._database.deadline):
            yield rows

    async def read_rows(self, rows: Rows) -> None:
        """Read the rows with these keys; a key without a row is removed from the directory."""
        user_ids, hashes, numbers = sorted(rows.user_ids), sorted(rows.token_hashes), sorted(rows.extensions)
        async with self._database.connection() as connection:
            people = await connection.fetch(SQL["people"], user_ids) if user_ids else []
            tokens = await connection.fetch(SQL["tokens"], hashes) if hashes else []
            extensions = await connection.fetch(SQL["extensions"], numbers) if numbers else []
        left_out: dict[Key, Exception] = {}
        parsed_people = dict(_parse_rows("user", people, parse_person, left_out))
        for user_id in user_ids:
            self._directory.put_person(user_id, parsed_people.get(user_id))
        parsed_tokens = dict(_parse_rows("token", tokens, _parse_token, left_out))
        for hash_ in hashes:
            parsed = parsed_tokens.get(hash_)
            self._directory.put_token(hash_, parsed[1] if parsed else None)
        parsed_extensions = dict(_parse_rows("extension", extensions, _parse_extension, left_out))
        for number in numbers:
            self._directory.put_extension(number, parsed_extensions.get(number))
        self._log_left_out(left_out, self._left_out & _keys(user_ids, hashes, numbers))
        assigned = {mine for user_id in user_ids if (mine := self._directory.number_of(user_id))}
        self._notify(frozenset(rows.extensions | assigned))

    def confirm(self, at: float) -> None:
        """Every commit before this moment has been read."""
        self._directory.confirm(at)

    def left_out_rows(self) -> Rows:
        """Return the keys of the rows that could not be parsed when they were last read."""
        keys = {kind: {key for each, key in self._left_out if each == kind} for kind in ("user", "token", "extension")}
        return Rows(keys["user"], keys["token"], keys["extension"])

    def _notify(self, affected: frozenset[str]) -> None:
        for changed in self._changed:
            changed(affected)

    def _log_left_out(self, left_out: dict[Key, Exception], before: set[Key]) -> None:
        """Log each newly left-out row once. `before`: keys of this read that had been left out."""
        new = [key for key in left_out if key not in self._left_out]
        self._left_out = (self._left_out - before) | set(left_out)
        self._directory.set_left_out(len(self._left_out), {key for kind, key in self._left_out if kind == "user"})
        for kind, key in new[:MAX_LOGGED_ROWS]:
            shown_key = key.hex()[:16] if isinstance(key, bytes) else key
            log.error("directory_row_unreadable", kind=kind, key=shown_key, error=str(left_out[kind, key]))
        if len(new) > MAX_LOGGED_ROWS:
            log.error("directory_row_warnings_suppressed", rows=len(new) - MAX_LOGGED_ROWS)


def _keys(people: Iterable[int], tokens: Iterable[bytes], extensions: Iterable[str]) -> set[Key]:
    keys_by_kind = (("user", people), ("token", tokens), ("extension", extensions))
    return {(kind, key) for kind, keys in keys_by_kind for key in keys}


def _parse_rows(
    kind: str, rows: Iterable[asyncpg.Record], parse: Callable[[asyncpg.Record], T], left_out: dict[Key, Exception]
) -> Iterator[tuple[Any, T]]:
    """Parse rows into pairs of key, which is the first column, and value. Errors go to `left_out`."""
    for row in rows:
        try:
            parsed = parse(row)
        except Exception as error:
            left_out[kind, row[0]] = error
        else:
            yield row[0], parsed


def _parse_token(row: asyncpg.Record) -> tuple[bytes, Token]:
    return row["token_hash"], msgspec.convert({name: row[name] for name in ("user_id", "expires_at", "scope")}, Token)


def _parse_extension(row: asyncpg.Record) -> Extension:
    """Parse a row of an extension and its phones. Raises RowUnreadable for values that only a newer release knows."""
    number, local_number = row["extension"], row["local_number"] or row["extension"]
    if not all(map(EXTENSION_NUMBER.fullmatch, (number, local_number))):
        raise RowUnreadable("the number of an extension is not 1 to 40 of A-Z a-z 0-9 _ -")
    try:
        phones = _decode_phones(row["phones"] or "[]")
    except msgspec.ValidationError as error:
        raise RowUnreadable(f"this release cannot read a phone of extension {number}: {error}") from None
    values = {name: row[name] for name in ("call_server", "enabled", "user_id")}
    return msgspec.convert(
        {**values, "number": number, "local_number": local_number, "phones": tuple(map(_make_phone, phones))}, Extension
    )


def _make_phone(stored: _StoredPhone) -> Phone:
    if not ENDPOINT_NAME.fullmatch(stored.endpoint):
        raise RowUnreadable("the endpoint of a phone is not 1 to 80 of A-Z a-z 0-9 _ . + -")
    values = msgspec.structs.asdict(stored)
    values["setup"] = _make_setup(*stored.setup) if stored.setup is not None else None
    return Phone(**values)


def _make_setup(link: str | None, expires_at: float | None, device: str | None) -> PhoneSetup:
    hashes = (bytes.fromhex(text) if text is not None else None for text in (link, device))
    return PhoneSetup(next(hashes), expires_at or 0.0, next(hashes))
