"""Codes for boards in PostgreSQL: an admin makes one, a screen redeems it once for a token with the scope `board`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from service.credentials import new_board_token, token_hash
from service.db import sql
from service.db.audit import Connection, record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Origin, Subject
from service.domain.board_codes import CODE_LIFETIME, MAX_BOARD_TOKENS, MAX_CODES, hash_board_code, new_board_code
from service.errors import NoSuchCode, NotFound

SQL = sql.load("board_codes")
DEFAULT_LABEL = "board"
MAX_LABEL_LENGTH = 80


@dataclass(frozen=True, slots=True)
class BoardCode:
    """A new code."""

    code: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class BoardToken:
    """A new token with the scope `board`, and the admin whose code made it."""

    user_id: int
    uid: str
    token: str = field(repr=False)
    expires_at: datetime


@retry_outdated_statements
async def make(database: Database, user_id: int, label: str = DEFAULT_LABEL, *, origin: Origin) -> BoardCode:
    """Make a code of an admin; the oldest beyond MAX_CODES ends. Raises NotFound unless they are an active admin."""
    code = new_board_code()
    async with database.connection() as connection:
        async with connection.transaction():
            if await connection.fetchrow(SQL["lock_admin"], user_id) is None:
                raise NotFound(f"there is no active admin {user_id}")
            await connection.execute(SQL["end_oldest_codes"], user_id, MAX_CODES - 1)
            expires_at = await connection.fetchval(
                SQL["make"], hash_board_code(code), user_id, float(CODE_LIFETIME), label
            )
            details = {"label": label, "expires_at": expires_at.isoformat(timespec="seconds")}
            await record(connection, AuditedChange(Action.BOARD_CODE, Subject.user(user_id), origin, details))
        await connection.execute(SQL["delete_expired"])
    return BoardCode(code, expires_at)


@retry_outdated_statements
async def redeem(database: Database, code_hash: bytes, lifetime: timedelta, *, origin: Origin) -> BoardToken:
    """Issue the token of a code, and end the code. The admin's oldest board token beyond MAX_BOARD_TOKENS ends.

    Of two that redeem at the same time the second raises NoSuchCode, like whoever has an unknown or expired code.
    """
    async with database.connection() as connection:
        token = await _redeem(connection, code_hash, lifetime, origin)
        await connection.execute(SQL["delete_expired"])
    return token


async def _redeem(connection: Connection, code_hash: bytes, lifetime: timedelta, origin: Origin) -> BoardToken:
    async with connection.transaction():
        user_id = await connection.fetchval(SQL["find"], code_hash)
        admin = await connection.fetchrow(SQL["lock_admin"], user_id) if user_id is not None else None
        code = await connection.fetchrow(SQL["redeem"], code_hash) if admin is not None else None
        if user_id is None or admin is None or code is None:
            raise NoSuchCode("the code is not valid")
        token, expires_at, label = new_board_token(), datetime.now(UTC) + lifetime, code["label"]
        subject = Subject.user(user_id)
        for ended in await connection.fetch(SQL["end_oldest_tokens"], user_id, MAX_BOARD_TOKENS - 1):
            await record(connection, AuditedChange(Action.TOKEN_REVOKED, subject, origin, {"label": ended["label"]}))
        await connection.execute(SQL["issue"], token_hash(token), user_id, expires_at, label)
        details = {"label": label, "scope": "board", "expires_at": expires_at.isoformat(timespec="seconds")}
        await record(connection, AuditedChange(Action.BOARD_TOKEN, subject, origin, details))
    return BoardToken(user_id, admin["uid"], token, expires_at)
