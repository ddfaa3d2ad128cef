"""What an automatic import has come to, for probes and metrics."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field


class ImportResult(enum.StrEnum):
    """How one automatic import ended."""

    APPLIED = "applied"
    """It changed something."""
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    """Another process had imported the same already."""
    FAILED = "failed"


@dataclass(slots=True)
class ImportStatus:
    """The automatic imports of one call server in this process."""

    results: dict[ImportResult, int] = field(default_factory=lambda: dict.fromkeys(ImportResult, 0))
    last_success: float | None = None
    """When the last one began to read, by this process or another, in seconds since the epoch."""
    why_failed: str | None = None
    """Why the last one failed; None if it succeeded."""
    missing: int = 0
    """Stored phones whose endpoint the last one did not find, or could not use."""
    skipped: int = 0
    """Endpoints that the last one left out."""
