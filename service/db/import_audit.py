"""The audit line of an import."""

from __future__ import annotations

from typing import Literal

import structlog

from service.db.imports import Options, PlannedImport

log = structlog.get_logger(__name__)


def log_import(
    call_server: str, source: Literal["ami", "csv", "automatic"], planned: PlannedImport, options: Options
) -> None:
    """Log what an applied import changed, in counts."""
    counts = planned.counts(options)
    log.info(
        "extensions_imported",
        call_server=call_server,
        source=source,
        new_extensions=counts["new_extensions"],
        new_phones=counts["new_phones"],
        changed_secrets=counts["changed_secrets"],
        other_changes=counts["other_changes"],
        newly_missing=counts["newly_missing"],
        returned=counts["returned"],
        removed_phones=counts["removed_phones"],
        removed_extensions=counts["removed_extensions"],
        new_people=counts["new_people"],
        assigned_people=counts["assigned_people"],
        skipped=len(planned.plan.skipped),
        unchanged=planned.plan.unchanged,
    )
