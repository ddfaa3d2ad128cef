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
    plan, people = planned.plan, planned.people
    log.info(
        "extensions_imported",
        call_server=call_server,
        source=source,
        new_extensions=len(plan.new_extensions),
        new_phones=len(plan.new_phones),
        changed_secrets=len(plan.changed_secrets),
        other_changes=len(plan.other_changes),
        newly_missing=len(plan.newly_missing),
        returned=len(plan.returned),
        removed_phones=len(plan.gone_phones) if options.remove_gone else 0,
        removed_extensions=len(plan.gone_extensions) if options.remove_gone else 0,
        new_people=len(people.new),
        assigned_people=len(people.assigned),
        skipped=len(plan.skipped),
        unchanged=plan.unchanged,
    )
