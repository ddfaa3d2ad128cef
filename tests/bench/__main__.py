"""Measure: `python -m tests.bench [SUBJECT...]`, by default all subjects."""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
import time
from pathlib import Path

from local.asterisk import AsteriskError
from local.postgres_binaries import PostgresError
from local.shutdown import ShutdownRequested, shutdown_on_signals
from tests.bench import machine, report
from tests.bench.rig.processes import BenchError
from tests.bench.rig.servers import Rig

SUBJECTS = (
    "link", "latency", "snapshot", "polls", "ami_per_poll", "workers", "users", "presence", "polls_of_many", "storm",
    "streams", "softphones", "revocation", "loop_turns", "large", "unauthenticated", "start", "reconnect", "devices",
    "secrets", "sizing", "log_lines", "board", "fanout", "scale", "bus",
)  # fmt: skip
"""Modules of tests/bench/subjects: each has a TITLE and `run(rig)`, which returns rows. Each leaves more behind it."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("subjects", nargs="*", metavar="SUBJECT", help=f"of: {', '.join(SUBJECTS)}")
    chosen = parser.parse_args().subjects or SUBJECTS
    if wrong := set(chosen) - set(SUBJECTS):
        parser.error(f"no such subject: {', '.join(sorted(wrong))}")
    try:
        with shutdown_on_signals(), tempfile.TemporaryDirectory(prefix="bench-") as folder:
            Path(folder).chmod(0o755)
            measure(Path(folder), [name for name in SUBJECTS if name in chosen])
    except ShutdownRequested:
        return 130
    except (BenchError, PostgresError, AsteriskError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def measure(folder: Path, subjects: list[str]) -> None:
    """All subjects on the same servers, one after the other; each one's table as soon as it is there."""
    began = time.monotonic()
    with Rig(folder) as rig:
        print(machine.described(*rig.versions()), flush=True)
        for name in subjects:
            subject = importlib.import_module(f"tests.bench.subjects.{name}")
            print(report.table(subject.TITLE, subject.run(rig)), flush=True)
            print(f"\n({time.monotonic() - began:.0f} s since the start)", flush=True)


if __name__ == "__main__":
    sys.exit(main())
