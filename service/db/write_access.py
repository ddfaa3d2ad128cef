"""Whether PostgreSQL accepts writes: a server, a database or a role can be read-only and still answer reads."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

log = structlog.get_logger(__name__)


class WriteAccess:
    """The last known write access: new sessions and refused statements report it."""

    def __init__(self) -> None:
        self.read_only_since: datetime | None = None
        """None while PostgreSQL accepts writes, as far as known."""

    def report(self, *, read_only: bool) -> None:
        """Record what a session or statement found. Logs the beginning and end of a read-only period."""
        if read_only is (self.read_only_since is not None):
            return
        self.read_only_since = datetime.now(UTC) if read_only else None
        if read_only:
            log.warning("database_read_only")
        else:
            log.info("database_writable")
