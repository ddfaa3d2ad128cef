"""`check`: asks PostgreSQL and each Asterisk whether everything is there and permitted, and says how to grant it."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterable, Iterator

from service.ami.diagnostics import checks as asterisk
from service.cli.common import opened
from service.db import diagnostics as store
from service.db import extensions
from service.domain.models import Finding
from service.errors import ServiceError
from service.settings import Settings

SHOWN = 20
"""Extensions of one call server that are shown by themselves, without `--all`."""


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print one table. The exit code is 1 when something must be done about it."""
    findings = [finding async for finding in store.check(settings, opened(settings, any_schema=True))]
    theirs = await _extensions(settings)
    findings += _call_servers(settings, theirs)
    for name, server in settings.call_servers.items():
        findings += [finding async for finding in asterisk.check(name, server, theirs[name])]
    rows = [
        {"part": finding.part, "verdict": finding.verdict, "what": finding.what, "how to mend it": finding.remedy or ""}
        for finding in (findings if arguments.all else shown(findings))
    ]
    arguments.out.table(rows, ("part", "verdict", "what", "how to mend it"))
    return int(any(finding.fails for finding in findings))


def shown(findings: Iterable[Finding]) -> Iterator[Finding]:
    """What to show without `--all`: no details that are well, and not too many that are not."""
    details: dict[str, int] = defaultdict(int)
    for finding in findings:
        if not finding.detail:
            yield finding
        elif finding.fails:
            details[finding.part] += 1
            if details[finding.part] <= SHOWN:
                yield finding
    for part, count in details.items():
        if count > SHOWN:
            yield Finding(part, f"{count - SHOWN} more like these", "see them with --all")


def _call_servers(settings: Settings, theirs: dict[str, list[str]]) -> Iterator[Finding]:
    if not settings.call_servers:
        yield Finding("settings", "no call server", "set CONNECTOR_CALL_SERVERS__<NAME>__HOST and its kin")
    for name in sorted(theirs.keys() - settings.call_servers.keys()):
        what = f"call server {name}, with {len(theirs[name])} extensions, is not in the settings"
        yield Finding("settings", what, f"set CONNECTOR_CALL_SERVERS__{name.upper()}__HOST and its kin")


async def _extensions(settings: Settings) -> dict[str, list[str]]:
    """All extensions that are in use, by call server. That PostgreSQL is away is told already."""
    found: dict[str, list[str]] = defaultdict(list)
    try:
        async with opened(settings) as database:
            for call_server, extension in await extensions.list_in_use(database):
                found[call_server].append(extension)
    except ServiceError:
        pass
    return found
