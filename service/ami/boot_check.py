"""Asterisk's uptime, for an account that does not receive FullyBooted."""

from __future__ import annotations

from datetime import UTC, datetime

from service.ami.actions import header_text
from service.ami.client import AmiClient

TIME_ZONE_STEP = 900.0
"""Seconds. Asterisk reports its start in its local time; every time zone is a multiple of 15 minutes from UTC."""
PING_DEADLINE = 5.0


async def is_up_longer_than(seconds: float, client: AmiClient) -> bool:
    """Whether Asterisk certainly started more than `seconds` ago. Both times come from its own clock."""
    started = await client.core_status()
    now = await client.ping(PING_DEADLINE)
    try:
        start = f"{header_text(started, 'CoreStartupDate')}T{header_text(started, 'CoreStartupTime')}"
        local_start = datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()
        return (float(header_text(now, "Timestamp")) - local_start) % TIME_ZONE_STEP > seconds
    except (ValueError, OverflowError):
        return False
