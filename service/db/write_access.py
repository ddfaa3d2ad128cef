"""Whether PostgreSQL takes changes: a server, a database or a role can be read-only, and goes on answering then."""

from __future__ import annotations

from datetime import UTC, datetime

import structlog

log = structlog.get_logger(__name__)


class WriteAccess:
    """Told by whoever finds out: sessions as they begin, and statements that were refused."""

    def __init__(self) -> None:
        self.read_only_since: datetime | None = None
        """None while changes are taken, as far as anybody has found."""

    def found(self, *, read_only: bool) -> None:
        """A session or a statement found this. Told once, at its begin and at its end."""
        if read_only is (self.read_only_since is not None):
            return
        self.read_only_since = datetime.now(UTC) if read_only else None
        if read_only:
            log.warning("database_read_only")
        else:
            log.info("database_writable")
