"""Downloads what tests run on, before several processes need it: a test has a deadline, a download has none."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from local import asterisk_programs, chromium, linphone, nats, node, postgres_binaries
from local.asterisk_programs import AsteriskError
from local.chromium import ChromiumError
from local.debian import PackageError
from local.nats import NatsError
from local.node import NodeError
from local.postgres_binaries import PostgresError
from tests.support import fail2ban, nginx, prometheus
from tests.support.command_line import ROOT
from tests.support.existing.pbx import programs_with_chan_sip
from tests.support.linphone import CARRIED
from tests.support.pbx import TESTED

SUITES = ("unit", "integration", "e2e", "clients", "compose", "packaging")


def suites_of(arguments: Iterable[str]) -> set[str]:
    """The folders below tests/ that pytest's arguments name; all of them for `tests` itself."""
    found: set[str] = set()
    for argument in arguments:
        parts = (ROOT / argument.partition("::")[0]).resolve().relative_to(ROOT / "tests").parts
        found |= {parts[0]} if parts else set(SUITES)
    return found


def prefetch(arguments: Iterable[str]) -> None:
    """Fetch, and report on standard error what is not available: the tests that need it fail with the reason."""
    suites = suites_of(arguments)
    try:
        if suites - {"unit"}:
            postgres_binaries.find_binaries(Path("/nonexistent"))
            for suite in TESTED:
                if suite == "newest":
                    asterisk_programs.find()
                else:
                    asterisk_programs.extracted(suite)
            programs_with_chan_sip()
        if suites & {"integration", "e2e"}:
            nats.find()
        if "integration" in suites:
            fail2ban.extracted()
            nginx.extracted()
            prometheus.extracted()
            if CARRIED:
                linphone.packages_root()
        if "e2e" in suites:
            chromium.find()
            node.modules(ROOT / "tests/e2e/browser")
        if "clients" in suites:
            node.modules(ROOT / "tests/clients")
    except (AsteriskError, ChromiumError, NatsError, NodeError, PackageError, PostgresError) as error:
        print(f"setup    | {error}", file=sys.stderr)
