"""`check`: checks the configuration and privileges of PostgreSQL, the bus and each Asterisk, and prints remedies."""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from time import time

from service.ami.diagnostics import checks as asterisk
from service.bus.broker import Broker
from service.cli.common import open_database
from service.db import diagnostics as store
from service.db import extensions
from service.domain.checked_extension import CheckedExtension
from service.domain.models import Finding
from service.errors import Invalid, ServiceError
from service.settings import Settings
from service.web.server.certificate import CertificateUnusable, load_valid

MAX_DETAILS = 20
"""Extensions per call server that are shown individually without `--all`."""
RENEW = "renew it: the service reads CONNECTOR_TLS_CERTIFICATE_FILE and CONNECTOR_TLS_KEY_FILE again when they change"


async def run(settings: Settings, arguments: argparse.Namespace) -> int:
    """Print one table. The exit code is 1 if a finding requires action."""
    expected = parse_expected(arguments.expect_endpoints, settings.call_servers)
    findings = [finding async for finding in store.check(settings, open_database(settings, any_schema=True))]
    stored = await _extensions(settings)
    findings += check_certificate(settings, time())
    findings += _call_servers(settings, stored)
    findings += [finding async for finding in _bus(settings)]
    for name, server in settings.call_servers.items():
        if server.ami_host is None or server.monitor_secret is None:
            findings.append(Finding(name, "has no AMI account here: this process is a follower"))
            continue
        options = asterisk.CheckOptions(arguments.watch, expected.get(name))
        findings += [finding async for finding in asterisk.check(name, server, stored[name], options)]
    rows = [
        {"part": finding.part, "verdict": finding.verdict, "what": finding.what, "how to mend it": finding.remedy or ""}
        for finding in (findings if arguments.all else shown(findings))
    ]
    arguments.out.table(rows, ("part", "verdict", "what", "how to mend it"))
    return int(any(finding.fails for finding in findings))


def parse_expected(given: Iterable[str], call_servers: Iterable[str]) -> Mapping[str, int]:
    """Parse `[NAME=]N`: the least number of endpoints by call server. Raises Invalid."""
    names, expected = list(call_servers), {}
    for text in given:
        named, _, number = text.rpartition("=")
        name = named or (names[0] if len(names) == 1 else "")
        if not (number.isascii() and number.isdecimal() and len(number) <= 9):
            raise Invalid(f"--expect-endpoints {text}: a number is needed, such as 1008")
        if name not in names:
            raise Invalid(f"--expect-endpoints {text}: name a call server of the settings, such as NAME={number}")
        expected[name] = int(number)
    return expected


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


def check_certificate(settings: Settings, now: float) -> Iterator[Finding]:
    """Check the files of the HTTPS port's certificate; no finding without TLS."""
    if settings.tls_certificate_file is None:
        return
    try:
        certificate = load_valid(settings.tls_certificate_file, settings.tls_key_file, now)
    except CertificateUnusable as error:
        yield Finding("tls", str(error), RENEW)
        return
    what = f"certificate for {', '.join(certificate.names) or 'no name'}, expires at {certificate.expires_at}"
    yield Finding("tls", what, RENEW if certificate.is_due(now) else None)
    if not certificate.names:
        yield Finding("tls", "the certificate names no host, so clients refuse it", "give it a subjectAltName")


async def _bus(settings: Settings) -> AsyncIterator[Finding]:
    """Check NATS; no finding without a bus."""
    broker = Broker.of(settings)
    if broker is None or settings.bus_role is None:
        return
    try:
        from service.bus import nats_check
    except ImportError:
        yield Finding("bus", "nats-py is not installed", "install asterisk-connector[nats]")
        return
    async for finding in nats_check.check(broker, settings.bus_role, list(settings.call_servers)):
        yield finding


def _call_servers(settings: Settings, stored: Mapping[str, list[CheckedExtension]]) -> Iterator[Finding]:
    if not settings.call_servers:
        yield Finding("settings", "no call server", "set CONNECTOR_CALL_SERVERS__<NAME>__HOST and its kin")
    for name in sorted(stored.keys() - settings.call_servers.keys()):
        what = f"call server {name}, with {len(stored[name])} extensions, is not in the settings"
        yield Finding("settings", what, f"set CONNECTOR_CALL_SERVERS__{name.upper()}__HOST and its kin")


async def _extensions(settings: Settings) -> dict[str, list[CheckedExtension]]:
    """List the extensions in use by call server; none if PostgreSQL is unavailable, which another finding reports."""
    by_call_server: dict[str, list[CheckedExtension]] = defaultdict(list)
    try:
        async with open_database(settings) as database:
            for call_server, extension in await extensions.list_in_use(database):
                by_call_server[call_server].append(extension)
    except ServiceError:
        pass
    return by_call_server
