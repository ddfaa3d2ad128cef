"""A `timestamptz` codec that accepts every value of PostgreSQL, whose range exceeds Python's and includes `infinity`.

For a value outside Python's range asyncpg raises and thereby loses the whole result, all other rows included; for
`infinity` it returns a datetime without a time zone. This codec clamps such values to the first or last datetime
instead.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_EARLIEST, _LATEST = (_FIRST - _EPOCH) // _MICROSECOND, (_LAST - _EPOCH) // _MICROSECOND


def decode(stored: tuple[int]) -> datetime:
    """Convert the protocol's microseconds since 2000 to a UTC datetime."""
    return _EPOCH + timedelta(microseconds=min(max(stored[0], _EARLIEST), _LATEST))


def encode(moment: datetime) -> tuple[int]:
    """Convert a datetime to microseconds since 2000."""
    return ((moment - _EPOCH) // _MICROSECOND,)


async def set_timestamp_codec(connection: asyncpg.Connection) -> None:
    """Install the codec on a connection. Sends nothing to the server."""
    await connection.set_type_codec("timestamptz", schema="pg_catalog", format="tuple", encoder=encode, decoder=decode)
