"""Answers the statements about who writes the registration history."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests.simulation.database.rows import Transaction
from tests.simulation.database.statements import Answer, answers, records


@answers("registration_history.lease", writes=True)
def _lease(tables: Transaction, call_server: str, holder: Any, seconds: float) -> Answer:
    before, until = tables["registration_writers"].get(call_server), tables.now + timedelta(seconds=seconds)
    if call_server not in tables["call_servers"]:
        return records(("term",), [], "INSERT")
    if before is None:
        row: dict[str, Any] = {"holder": holder, "held_until": until, "term": 1, "observed_until": None}
    elif before["holder"] == holder or before["held_until"] < tables.now:
        term = before["term"] + (before["holder"] != holder)
        row = {**before, "holder": holder, "held_until": until, "term": term}
    else:
        return records(("term",), [], "INSERT")
    tables.put("registration_writers", call_server, row)
    return records(("term",), [(row["term"],)], "INSERT")


@answers("registration_history.observed_age")
def _observed_age(tables: Transaction, call_server: str) -> Answer:
    row = tables["registration_writers"].get(call_server)
    until = row["observed_until"] if row is not None else None
    ages = [] if row is None else [(None if until is None else (tables.now - until).total_seconds(),)]
    return records(("float8",), ages)
