"""PostgreSQL's moments as Python's: its calendar is wider, and it knows `infinity`.

The driver raises for a moment that Python cannot hold, which costs the whole answer, everybody else's rows too; and of
`infinity` it makes one without a zone. So what is too late or too early is the last or the first moment that there is.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime(1, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
_EARLIEST, _LATEST = (_FIRST - _EPOCH) // _MICROSECOND, (_LAST - _EPOCH) // _MICROSECOND


def decoded(stored: tuple[int]) -> datetime:
    """Microseconds since 2000, as the protocol has them, in UTC."""
    return _EPOCH + timedelta(microseconds=min(max(stored[0], _EARLIEST), _LATEST))


def encoded(moment: datetime) -> tuple[int]:
    """The same the other way."""
    return ((moment - _EPOCH) // _MICROSECOND,)


async def read_all_moments(connection: asyncpg.Connection) -> None:
    """From now on this connection reads every moment. It asks the server nothing."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", format="tuple", encoder=encoded, decoder=decoded
    )
