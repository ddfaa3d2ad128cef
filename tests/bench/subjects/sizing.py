"""What a machine needs by the number of extensions: the service's memory and CPU, the database, Asterisk's memory.

Each extension has a softphone that polls every ten seconds, over a connection of its own up to a thousand.
"""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from tests.bench.report import Row
from tests.bench.rig import people
from tests.bench.rig.processes import Program, cpu_seconds, memory_bytes
from tests.bench.rig.servers import Rig
from tests.bench.rig.stage import stage

SIZES = (1_000, 10_000, 20_000)
POLL_INTERVAL, SECONDS, CONNECTIONS, ROUNDS = 10, 15, 1_000, 2
TITLE = f"Sizes: a softphone for each extension, each polls every {POLL_INTERVAL} s"
MIB = 1 << 20


def run(rig: Rig) -> list[Row]:
    """One size after the other, beside a scripted Asterisk; then a real one that has booted with as many endpoints."""
    rows = [row for size in SIZES for row in _service(rig, size)]
    for size in SIZES:
        rig.populate(size)
        rows.append(Row(f"{size:,}: Asterisk's memory", [memory_bytes(rig.asterisk_pid) / MIB], "MiB"))
    return rows


def _service(rig: Rig, size: int) -> list[Row]:
    asked = rig.asked(f"sizing {size}", people.polls(size))
    shares: list[float] = []
    delays: list[float] = []
    with stage(rig, size) as on:
        began = cpu_seconds(on.service.pid)
        rest = memory_bytes(on.service.pid) / MIB
        for _ in range(ROUNDS):
            before, start = cpu_seconds(on.service.pid), time.monotonic()
            arguments = (urlsplit(on.service.url).port, size // POLL_INTERVAL, SECONDS, asked, min(size, CONNECTIONS))
            with Program("tests.bench.programs.paced_polls", *arguments) as polls:
                delays.append(polls.line(4 * SECONDS)["p99"] * 1000)
            shares.append((cpu_seconds(on.service.pid) - before) / (time.monotonic() - start) * 100)
        busy = memory_bytes(on.service.pid) / MIB
    database = int(rig.postgres.sql("select pg_database_size(current_database())", on.database))
    return [
        Row(f"{size:,}: service, CPU of the start", [began], "s"),
        Row(f"{size:,}: service, memory at rest", [rest], "MiB"),
        Row(f"{size:,}: service, memory with all softphones", [busy], "MiB"),
        Row(f"{size:,}: service, share of a core", shares, "%"),
        Row(f"{size:,}: 99th percentile of a poll", delays, "ms"),
        Row(f"{size:,}: PostgreSQL, size of the database", [database / MIB], "MiB"),
    ]
