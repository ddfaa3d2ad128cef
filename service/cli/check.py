"""`check`: checks the configuration and privileges of PostgreSQL and each Asterisk, and prints remedies."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator

from service.ami.diagnostics import checks as asterisk
from service.cli.common import open_database
from service.db import diagnostics as store
from service.db import extensions
from service.domain.models import Finding
from service.errors import ServiceError
from service.settings import Settings

MAX_DETAILS = 20
"""Extensions per call server that are shown individually without `--all`."""


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print one table. The exit code is 1 if a finding requires action."""
    findings = [finding async for finding in store.check(settings, open_database(settings, any_schema=True))]
    numbers = await _extensions(settings)
    findings += _call_servers(settings, numbers)
    for name, server in settings.call_servers.items():
        findings += [finding async for finding in asterisk.check(name, server, numbers[name])]
    rows = [
        {"part": finding.part, "verdict": finding.verdict, "what": finding.what, "how to mend it": finding.remedy or ""}
        for finding in (findings if arguments.all else shown(findings))
    ]
    arguments.out.table(rows, ("part", "verdict", "what", "how to mend it"))
    return int(any(finding.fails for finding in findings))


def shown(findings: Iterable[Finding]) -> Iterator[Finding]:
    """Select the findings to show without `--all`: no details without a problem, and a bounded number with one."""
    details: dict[str, int] = defaultdict(int)
    for finding in findings:
        if not finding.detail:
            yield finding
        elif finding.fails:
            details[finding.part] += 1
            if details[finding.part] <= MAX_DETAILS:
                yield finding
    for part, count in details.items():
        if count > MAX_DETAILS:
            yield Finding(part, f"{count - MAX_DETAILS} more like these", "see them with --all")


def _call_servers(settings: Settings, numbers: dict[str, list[str]]) -> Iterator[Finding]:
    if not settings.call_servers:
        yield Finding("settings", "no call server", "set CONNECTOR_CALL_SERVERS__<NAME>__HOST and its kin")
    for name in sorted(numbers.keys() - settings.call_servers.keys()):
        what = f"call server {name}, with {len(numbers[name])} extensions, is not in the settings"
        yield Finding("settings", what, f"set CONNECTOR_CALL_SERVERS__{name.upper()}__HOST and its kin")


async def _extensions(settings: Settings) -> dict[str, list[str]]:
    """List the extensions in use by call server; none if PostgreSQL is unavailable, which another finding reports."""
    by_call_server: dict[str, list[str]] = defaultdict(list)
    try:
        async with open_database(settings) as database:
            for call_server, extension in await extensions.list_in_use(database):
                by_call_server[call_server].append(extension)
    except ServiceError:
        pass
    return by_call_server
