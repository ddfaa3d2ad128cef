"""Refused logins and tokens: counted for the audit trail, and logged within limits.

The log names addresses for fail2ban. It must not ban an office for an expired token, so logins and tokens are two
events.
"""

from __future__ import annotations

import structlog
from aiohttp import web

from service.domain.audit import Action, Actor, ActorKind, AuditedChange, Origin, Subject
from service.domain.audit_batches import AuditBatches
from service.domain.line_limit import LineLimit
from service.domain.models import Person
from service.domain.networks import prefix

log = structlog.get_logger(__name__)


class Refusals:
    """One per process. Each kind has lines and batches of its own: a flood of wrong tokens must not hide a login."""

    def __init__(
        self, logins: AuditBatches, tokens: AuditBatches, login_lines: LineLimit, token_lines: LineLimit
    ) -> None:
        self._logins = logins
        self._tokens = tokens
        self._login_lines = login_lines
        self._token_lines = token_lines
        self.tokens = 0
        """Number of tokens refused."""

    def note_login(self, address: str, request_id: str | None, person: Person | None) -> None:
        """A login from this address was refused or throttled. `person`: whose, if the name is somebody's."""
        user_id = person.user_id if person is not None else None
        if self._login_lines.admits(address):
            log.warning("login_refused", address=address, user_id=user_id, request_id=request_id)
        key = prefix(address), user_id
        if not self._logins.count(key):
            subject = Subject.user(person.user_id, person.name) if person is not None else None
            self._logins.open(key, lambda: _refused(Action.LOGIN_REFUSED, subject, address, request_id))

    def note_token(self, address: str, request_id: str | None) -> None:
        """A token from this address was refused: unknown, expired, revoked, another user's, or of no set-up link."""
        self.tokens += 1
        if self._token_lines.admits(address):
            log.info("token_refused", address=address, request_id=request_id)
        key = prefix(address)
        if not self._tokens.count(key):
            self._tokens.open(key, lambda: _refused(Action.TOKEN_REFUSED, None, address, request_id))

    def log_left_out(self) -> None:
        """Log how many lines were left out since the last call."""
        logins, tokens = self._login_lines.take_left_out(), self._token_lines.take_left_out()
        if logins or tokens:
            log.warning("refusal_lines_left_out", logins=logins, tokens=tokens)


def _refused(action: Action, subject: Subject | None, address: str, request_id: str | None) -> AuditedChange:
    return AuditedChange(action, subject, Origin(Actor(ActorKind.UNKNOWN), address, request_id))


REFUSALS = web.AppKey("refusals", Refusals)
