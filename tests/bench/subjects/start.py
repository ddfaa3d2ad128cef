"""From the start of the service to its first ready answer, with Asterisk already up."""

from __future__ import annotations

import time

from tests.bench.report import Row
from tests.bench.rig.processes import cpu_seconds, wait_until_quiet
from tests.bench.rig.servers import Rig

EXTENSIONS, ROUNDS = 20_000, 3
TITLE = f"Start with {EXTENSIONS:,} extensions, Asterisk already up"


def run(rig: Rig) -> list[Row]:
    """Ready means: everything is read, and the link is live. What it asks of Asterisk after that is not waited for."""
    rig.populate(EXTENSIONS)
    wait_until_quiet(rig.asterisk_pid)
    took, cpu = [], []
    for _ in range(ROUNDS):
        began = time.monotonic()
        with rig.another() as service:
            took.append(time.monotonic() - began)
            cpu.append(cpu_seconds(service.pid))
    return [Row("start to ready", took, "s", "<= 3 s"), Row("CPU until then", cpu, "s")]
