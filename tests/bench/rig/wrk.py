"""wrk, the load generator: the machine's own, or the distribution's package extracted into the cache folder."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from local import bootstrap, debian
from local.asterisk_programs import loader
from local.cache import cache_dir
from tests.bench.rig.processes import BenchError

CONNECTIONS = 64
SCRIPT = Path(__file__).with_suffix(".lua")


@dataclass(frozen=True)
class Load:
    """What wrk says of one round."""

    answers: int
    per_second: float


@functools.cache
def command() -> tuple[str, ...]:
    """How to start it."""
    if found := shutil.which("wrk"):
        return (found,)
    root = debian.extract(["wrk"], cache_dir() / "wrk", say=bootstrap.say)
    return (*loader(root), str(root / "usr/bin/wrk"))


def run(base: str, asked: Path, *, seconds: int, connections: int = CONNECTIONS) -> Load:
    """Keep `connections` busy for so many seconds with the requests of a file (see `tests.bench.rig.request_file`).

    Raises BenchError if any answer was not a 200.
    """
    arguments = ["-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(SCRIPT), base, "--", str(asked)]
    done = subprocess.run([*command(), *arguments], capture_output=True, text=True, timeout=seconds + 30, check=False)
    answers = re.search(r"(\d+) requests in", done.stdout)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    wrong = re.search(r"(Non-2xx or 3xx responses|Socket errors).*", done.stdout)
    if answers is None or rate is None or wrong is not None:
        raise BenchError(f"{base}: {wrong[0] if wrong else done.stdout + done.stderr}")
    return Load(int(answers[1]), float(rate[1]))
