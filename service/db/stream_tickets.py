"""Stream tickets: each authorises one stream, once, on any replica, on behalf of a token.

PostgreSQL stores them, so that each is used once. Anyone may present a ticket without a token. Therefore a ticket
carries its expiry and a digest keyed with a key that all replicas share: a forged or expired one costs a digest, no
query. A ticket that this process has redeemed is refused from memory.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from time import time

from service.credentials import TOKEN_LENGTH, is_token, token_hash
from service.db.audit import record
from service.db.pool import Database, retry_outdated_statements
from service.domain.audit import Action, AuditedChange, Origin

ISSUE = """
insert into stream_tickets (ticket_hash, token_hash, expires_at)
select $1, token_hash, now() + $3 * interval '1 second' from tokens where token_hash = $2
"""
REDEEM = "delete from stream_tickets where ticket_hash = $1 returning token_hash, expires_at > now() as valid"
DELETE_EXPIRED = "delete from stream_tickets where expires_at < now()"
EXPIRY_LENGTH, RANDOM_LENGTH, DIGEST_LENGTH = 4, 16, 12
"""Bytes of a ticket: expiry in seconds since the epoch, random bytes, and the digest of both."""
MAX_CLOCK_SKEW = 60
"""Seconds by which replicas' clocks may differ. PostgreSQL's clock decides in the end."""
MAX_REMEMBERED = 10_000
"""Redeemed tickets that are remembered; an older one costs a query each time."""


class StreamTickets:
    """`key` is the same on every replica; `now` returns seconds since the epoch."""

    def __init__(self, database: Database, key: bytes, now: Callable[[], float] = time) -> None:
        self._database = database
        self._key = hashlib.blake2b(key, person=b"stream ticket").digest()
        self._now = now
        self._redeemed: OrderedDict[bytes, None] = OrderedDict()

    @retry_outdated_statements
    async def issue(self, token: bytes, seconds: int, *, origin: Origin) -> str:
        """Issue a ticket for the token with this hash."""
        expires_at = int(self._now()) + seconds + 1
        content = expires_at.to_bytes(EXPIRY_LENGTH, "big") + secrets.token_bytes(RANDOM_LENGTH)
        ticket = _encode(content + self._digest(content))
        async with self._database.connection() as connection:
            async with connection.transaction():
                if await connection.execute(ISSUE, token_hash(ticket), token, seconds) != "INSERT 0 0":
                    await record(connection, AuditedChange(Action.TOKEN_TICKET, None, origin))
            await connection.execute(DELETE_EXPIRED)
        return ticket

    async def redeem(self, ticket: str) -> bytes | None:
        """Redeem a ticket. Returns the hash of its token; None if the ticket is used, expired or unknown."""
        if not self._is_authentic(ticket):
            return None
        hash_ = token_hash(ticket)
        if hash_ in self._redeemed:
            return None
        self._remember(hash_)
        try:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(REDEEM, hash_)
        except BaseException:  # whether it was redeemed is unknown: PostgreSQL must answer the next attempt
            self._redeemed.pop(hash_, None)
            raise
        return row["token_hash"] if row is not None and row["valid"] else None

    def _is_authentic(self, ticket: str) -> bool:
        """Return whether a replica issued the ticket and it has not expired."""
        if len(ticket) != TOKEN_LENGTH or not is_token(ticket):
            return False
        raw = base64.urlsafe_b64decode(ticket + "=")
        content, digest = raw[:-DIGEST_LENGTH], raw[-DIGEST_LENGTH:]
        if not hmac.compare_digest(digest, self._digest(content)):
            return False
        expires_at = int.from_bytes(raw[:EXPIRY_LENGTH], "big")
        return _encode(raw) == ticket and expires_at > self._now() - MAX_CLOCK_SKEW

    def _digest(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=DIGEST_LENGTH).digest()

    def _remember(self, hash_: bytes) -> None:
        self._redeemed[hash_] = None
        if len(self._redeemed) > MAX_REMEMBERED:
            self._redeemed.popitem(last=False)


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
