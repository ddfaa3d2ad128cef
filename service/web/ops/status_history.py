"""The registration history of an extension's last day, as its status shows it."""

from __future__ import annotations

from aiohttp import web

from service.db import registration_history
from service.domain.models import Extension
from service.domain.registration_report import report
from service.domain.timestamps import rfc3339_ms
from service.errors import DatabaseUnavailable
from service.web.app_keys import DATABASE, FLAPPING
from service.web.ops.status_schemas import RegistrationStatus, StatusChange, StatusTime

SHOWN = 20
"""Transitions that a status shows, and times."""


async def registration_status(app: web.Application, extension: Extension) -> RegistrationStatus | None:
    """The last day; None while PostgreSQL is unreachable. The status itself does not need PostgreSQL."""
    try:
        stored = await registration_history.read(app[DATABASE], extension.number, extension.call_server, 1)
    except DatabaseUnavailable:
        return None
    made = report(stored, 1)
    return RegistrationStatus(
        losses=made.losses,
        flapping=made.flapping or app[FLAPPING].flaps(extension.number),
        changes=[
            StatusChange(rfc3339_ms(change.at), change.registered, change.exact) for change in made.changes[-SHOWN:]
        ],
        not_observed=[
            StatusTime(rfc3339_ms(span.since), rfc3339_ms(span.until)) for span in made.not_observed[-SHOWN:]
        ],
    )
