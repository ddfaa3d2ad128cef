"""What `extension import` reports: counts, a bounded table for people, everything for programs. Never a secret."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from service.db.imports import Options, PlannedImport

MAX_SHOWN = 20
"""Rows of each kind of change that are shown to people."""

Change = dict[str, str | None]
"""One change: columns `extension`, `endpoint`, `detail`."""


def changes(planned: PlannedImport) -> dict[str, list[Change]]:
    """Return the changes by kind, in the order of the report."""
    plan, people = planned.plan, planned.people
    return {
        "new_extensions": [_change(one.number) for one in plan.new_extensions],
        "new_phones": [_change(one.extension, one.endpoint, one.profile) for one in plan.new_phones],
        "changed_secrets": [_change(one.extension, one.endpoint, _other(one.changes)) for one in plan.changed_secrets],
        "other_changes": [_change(one.extension, one.endpoint, _other(one.changes)) for one in plan.other_changes],
        "gone_phones": [_change(one.extension, one.endpoint) for one in plan.gone_phones],
        "gone_extensions": [_change(number) for number in plan.gone_extensions],
        "newly_missing": [_change(None, endpoint) for endpoint in plan.newly_missing],
        "returned": [_change(None, endpoint) for endpoint in plan.returned],
        "new_people": [_change(one.extension, None, one.name) for one in people.new],
        "assigned_people": [_change(one.extension, None, one.name) for one in people.assigned],
        "without_person": [_change(one.subject, None, one.reason) for one in people.skipped],
        "skipped": [_change(None, one.subject, one.reason) for one in plan.skipped],
        "weak_passwords": [_change(one.extension, one.endpoint, one.reason) for one in planned.weak],
    }


def counts(planned: PlannedImport) -> dict[str, int]:
    """Return the number of changes by kind, and of the phones that stay as they are."""
    by_kind = {kind: len(listed) for kind, listed in changes(planned).items()}
    return {**by_kind, "unchanged": planned.plan.unchanged}


def facts(planned: PlannedImport, options: Options) -> dict[str, Any]:
    """Return everything, for programs. `remove_gone` says whether what is gone is removed or only marked."""
    return {"remove_gone": options.remove_gone, "counts": counts(planned), **changes(planned)}


def lines(planned: PlannedImport, options: Options, *, applied: bool) -> Iterator[str]:
    """The summary for people, before the table."""
    known = {kind: count for kind, count in counts(planned).items() if count}
    yield ", ".join(f"{_words(kind)}: {count}" for kind, count in known.items()) or "the source is empty"
    if not applied:
        yield "This is the plan. Nothing was changed; --apply carries it out."
    else:
        yield "Imported."
    if planned.plan.gone_phones and options.remove_gone:
        yield "What is gone is deleted."
    elif planned.plan.gone_phones:
        yield "Gone phones are kept and marked as missing; --remove-gone deletes them."


def rows(planned: PlannedImport) -> list[Change]:
    """The rows of the table: a bounded number of each kind, then how many more there are."""
    shown: list[Change] = []
    for kind, listed in changes(planned).items():
        if kind == "newly_missing":  # gone or skipped, so they are listed already
            continue
        shown += [{"change": _words(kind), **change} for change in listed[:MAX_SHOWN]]
        if len(listed) > MAX_SHOWN:
            more = f"and {len(listed) - MAX_SHOWN} more; --json lists all"
            shown.append({"change": _words(kind), **_change(None, None, more)})
    return shown


def _change(extension: str | None, endpoint: str | None = None, detail: str | None = None) -> Change:
    return {"extension": extension, "endpoint": endpoint, "detail": detail}


def _other(changed: tuple[str, ...]) -> str:
    return ", ".join(_words(name) for name in changed)


def _words(kind: str) -> str:
    return kind.replace("_", " ")
