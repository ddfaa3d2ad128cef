"""Tickets in PostgreSQL: each opens one stream, once, on any replica, on behalf of a token."""

from __future__ import annotations

from service.credentials import new_token, token_hash
from service.store.database import Database

ISSUE = """
insert into stream_tickets (ticket_hash, token_hash, expires_at)
select $1, token_hash, now() + $3 * interval '1 second' from tokens where token_hash = $2
"""
REDEEM = "delete from stream_tickets where ticket_hash = $1 returning token_hash, expires_at > now() as valid"
DELETE_EXPIRED = "delete from stream_tickets where expires_at < now()"


async def issue(database: Database, token: bytes, seconds: int) -> str:
    """Make a ticket for the token with this hash."""
    ticket = new_token()
    async with database.connection() as connection:
        await connection.execute(ISSUE, token_hash(ticket), token, seconds)
        await connection.execute(DELETE_EXPIRED)
    return ticket


async def redeem(database: Database, ticket: str) -> bytes | None:
    """The hash of the token that it was made for; None for a ticket that was used, has expired or never was."""
    async with database.connection() as connection:
        row = await connection.fetchrow(REDEEM, token_hash(ticket))
    return row["token_hash"] if row is not None and row["valid"] else None
