"""How long an Asterisk runs, as far as an account may know that hears no FullyBooted."""

from __future__ import annotations

from datetime import UTC, datetime

from service.ami.client import AmiClient
from service.ami.protocol import text

QUARTER = 900.0
"""Seconds. Asterisk tells its start in a time zone of its own, and each is so many quarters of an hour from UTC."""
PING_DEADLINE = 5.0


async def has_run_for(connection: AmiClient, seconds: float) -> bool:
    """Whether it is sure that Asterisk started longer ago. Both times are by its own clock."""
    started = await connection.core_status()
    now = await connection.ping(PING_DEADLINE)
    try:
        told = datetime.fromisoformat(f"{text(started, 'CoreStartupDate')}T{text(started, 'CoreStartupTime')}")
        return (float(text(now, "Timestamp")) - told.replace(tzinfo=UTC).timestamp()) % QUARTER > seconds
    except (ValueError, OverflowError):
        return False
