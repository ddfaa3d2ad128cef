"""`check`: asks PostgreSQL and each Asterisk whether everything is there and permitted, and says how to grant it."""

from __future__ import annotations

import argparse

from service.asterisk import checks as asterisk
from service.cli.common import opened
from service.errors import ServiceError
from service.model import Finding
from service.settings import Settings
from service.store import checks as store
from service.store import extensions


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print one table. The exit code is 1 when something is missing without which the service cannot do its work."""
    findings = [finding async for finding in store.check(settings, opened(settings, any_schema=True))]
    if not settings.call_servers:
        findings.append(Finding("settings", "no call server", "set CONNECTOR_CALL_SERVERS__<NAME>__HOST and its kin"))
    for name, server in settings.call_servers.items():
        sample = await _sample(settings, name)
        findings += [finding async for finding in asterisk.check(name, server, sample)]
    rows = [
        {"part": finding.part, "verdict": finding.verdict, "what": finding.what, "how to mend it": finding.remedy or ""}
        for finding in findings
    ]
    arguments.out.table(rows, ("part", "verdict", "what", "how to mend it"))
    return int(any(finding.remedy is not None and finding.needed for finding in findings))


async def _sample(settings: Settings, call_server: str) -> str | None:
    try:
        async with opened(settings) as database:
            return min(await extensions.of_call_server(database, call_server), default=None)
    except ServiceError:
        return None
