"""Audits presence that users set. Asterisk stores it, so the change and its row cannot be one transaction."""

from __future__ import annotations

from aiohttp import web

from service.db.audit import record
from service.domain.audit import Action, AuditedChange, Subject
from service.domain.audit_batches import AuditBatches
from service.domain.custom_presence import PresenceState
from service.domain.models import Person
from service.errors import DatabaseUnavailable
from service.web.app_keys import DATABASE
from service.web.auth.origin import origin_of

RECORD_DEADLINE = 1.0
"""Seconds that the response waits for PostgreSQL."""
PRESENCE_CHANGES = web.AppKey("presence_changes", AuditBatches)
"""Changes that wait for PostgreSQL."""


async def audit_presence(request: web.Request, person: Person, extension: str, presence: PresenceState) -> None:
    """Add the row of a change that Asterisk has accepted; without PostgreSQL it waits in memory. Raises nothing."""
    details = {"presence": str(presence)}
    change = AuditedChange(Action.PRESENCE_SET, Subject.extension(extension), origin_of(request, person), details)
    try:
        async with request.app[DATABASE].connection(within=RECORD_DEADLINE) as connection:
            await record(connection, change)
    except DatabaseUnavailable:
        request.app[PRESENCE_CHANGES].open(object(), lambda: change)
