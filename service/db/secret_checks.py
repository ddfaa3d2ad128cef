"""What `check` finds about encrypted SIP passwords: keys, what no key opens, poolers, and networks without TLS."""

from __future__ import annotations

from collections.abc import AsyncIterator

from service.db import sql
from service.db.pool import Database
from service.db.secret_status import DEADLINE, SecretStatus, secret_status
from service.db.session_keys import DROPPED
from service.domain.models import Finding
from service.settings import Settings

SQL = sql.load("secrets")
PART = "postgresql"
ADD_KEY = "set this key as CONNECTOR_SECRETS_KEY or CONNECTOR_SECRETS_PREVIOUS_KEY, and restart; if it is lost, "
REKEY = "run secrets rekey, as docs/operations.md says"
ROTATE = "rotate these phones with another key"
TLS = "use TLS to PostgreSQL (sslmode=verify-full), also from each Asterisk: each connection sends its keys"


async def check_secrets(database: Database, settings: Settings) -> AsyncIterator[Finding]:
    """Yield the findings; none where nothing is encrypted and no key is set."""
    async with database.connection(DEADLINE) as connection:
        stored = await secret_status(connection)
        arrived = await connection.fetchval(SQL["arrived"])
        others_read_along = await connection.fetchval(SQL["others_read_along"])
    if settings.secret_keys and not arrived:
        yield Finding(PART, "CONNECTOR_SECRETS_KEY does not arrive at PostgreSQL", DROPPED)
    if settings.secret_keys and others_read_along:
        yield Finding(PART, "CONNECTOR_SECRETS_KEY is sent over a network without TLS", TLS, needed=False)
    known = {key.name for key in settings.secret_keys}
    for each in stored:
        for finding in _check_call_server(each, known):
            yield finding


def _check_call_server(stored: SecretStatus, known: set[str]) -> list[Finding]:
    name, key = stored.call_server, stored.key_name
    findings = []
    if key is not None and key not in known:
        what = f"call server {name} encrypts SIP passwords with key {key}, which the settings lack"
        findings.append(Finding(PART, what, ADD_KEY + REKEY))
    if stored.unreadable:
        names = " ".join(sorted(set(stored.keys) - known)) or "of another content"
        what = f"{stored.unreadable} of {stored.phones} SIP passwords of call server {name} cannot be read: key {names}"
        findings.append(Finding(PART, what, ADD_KEY + ROTATE))
    outdated = stored.plain if key is not None else 0
    if known and key is None and stored.phones:
        findings.append(Finding(PART, f"SIP passwords of call server {name} are in plain text", REKEY, needed=False))
    elif outdated or stored.other_key:
        what = f"{outdated + stored.other_key} SIP passwords of call server {name} are not encrypted with key {key}"
        findings.append(Finding(PART, what, REKEY, needed=False))
    if stored.without:
        what = f"{stored.without} phones of call server {name} have no SIP password"
        findings.append(Finding(PART, what, "start a service: it makes one; on an imported one, import", needed=False))
    if key is not None and not findings:
        findings.append(Finding(PART, f"SIP passwords of call server {name} are encrypted with key {key}"))
    return findings
