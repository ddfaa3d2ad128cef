"""From the start of the service to its first ready answer, with Asterisk already up."""

from __future__ import annotations

import time

from tests.bench.processes import wait_until_quiet
from tests.bench.report import Row
from tests.bench.rig import Rig

EXTENSIONS, ROUNDS = 20_000, 3
TITLE = f"Start with {EXTENSIONS:,} extensions, Asterisk already up"


def run(rig: Rig) -> list[Row]:
    """Ready means: everything is read, and the link is live."""
    rig.populate(EXTENSIONS)
    took, rested = [], []
    wait_until_quiet(rig.asterisk_pid)
    for _ in range(ROUNDS):
        began = time.monotonic()
        with rig.another() as service:
            took.append(time.monotonic() - began)
            wait_until_quiet(service.pid, rig.asterisk_pid)
            rested.append(time.monotonic() - began)
    return [
        Row("start to ready", took, "s", "<= 3 s"),
        Row("start to rest: every contact is read", rested, "s"),
    ]
