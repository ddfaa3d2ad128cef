"""Tickets: each opens one stream, once, on any replica, on behalf of a token.

PostgreSQL holds them, so that each is used once. But anybody may present one, without a token: so a ticket carries its
end and a digest under a key that all replicas share, and what this service never made, or what is over, costs nothing
but that digest. One that was used is refused from memory, if it was used here.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Callable
from time import time

from service.credentials import is_token, token_hash
from service.db.pool import Database

ISSUE = """
insert into stream_tickets (ticket_hash, token_hash, expires_at)
select $1, token_hash, now() + $3 * interval '1 second' from tokens where token_hash = $2
"""
REDEEM = "delete from stream_tickets where ticket_hash = $1 returning token_hash, expires_at > now() as valid"
DELETE_EXPIRED = "delete from stream_tickets where expires_at < now()"
END, RANDOM, DIGEST = 4, 16, 12
"""Bytes of a ticket: when it ends, in seconds since the epoch; what makes it one; and the digest of both."""
SKEW = 60
"""Seconds by which replicas' clocks may differ: PostgreSQL's decides in the end."""
USED = 10_000
"""Used tickets that are remembered; older ones cost PostgreSQL a look each."""


class StreamTickets:
    """`key` is the same on every replica; `now` gives seconds since the epoch."""

    def __init__(self, database: Database, key: bytes, now: Callable[[], float] = time) -> None:
        self._database = database
        self._key = hashlib.blake2b(key, person=b"stream ticket").digest()
        self._now = now
        self._used: OrderedDict[bytes, None] = OrderedDict()

    async def issue(self, token: bytes, seconds: int) -> str:
        """Make a ticket for the token with this hash."""
        ends = int(self._now()) + seconds + 1
        content = ends.to_bytes(END, "big") + secrets.token_bytes(RANDOM)
        ticket = _text(content + self._digest(content))
        async with self._database.connection() as connection:
            await connection.execute(ISSUE, token_hash(ticket), token, seconds)
            await connection.execute(DELETE_EXPIRED)
        return ticket

    async def redeem(self, ticket: str) -> bytes | None:
        """The hash of the token that it was made for; None for a ticket that was used, has expired or never was."""
        if not self._could_be(ticket):
            return None
        hash_ = token_hash(ticket)
        if hash_ in self._used:
            return None
        self._use(hash_)
        try:
            async with self._database.connection() as connection:
                row = await connection.fetchrow(REDEEM, hash_)
        except BaseException:  # perhaps it was not used: whoever presents it again is to be answered by PostgreSQL
            self._used.pop(hash_, None)
            raise
        return row["token_hash"] if row is not None and row["valid"] else None

    def _could_be(self, ticket: str) -> bool:
        """Whether this service made it, and it has not ended."""
        if not is_token(ticket):
            return False
        raw = base64.urlsafe_b64decode(ticket + "=")
        content, digest = raw[:-DIGEST], raw[-DIGEST:]
        if not hmac.compare_digest(digest, self._digest(content)):
            return False
        return _text(raw) == ticket and int.from_bytes(raw[:END], "big") > self._now() - SKEW

    def _digest(self, content: bytes) -> bytes:
        return hashlib.blake2b(content, key=self._key, digest_size=DIGEST).digest()

    def _use(self, hash_: bytes) -> None:
        self._used[hash_] = None
        if len(self._used) > USED:
            self._used.popitem(last=False)


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")
