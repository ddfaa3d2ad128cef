"""Programs that run beside the measurement, and the CPU time that they take."""

from __future__ import annotations

import json
import os
import re
import resource
import select
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

from local.bootstrap import PROJECT
from local.child_process import child_pids, parent_death_signal, terminate

START_DEADLINE = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")


class BenchError(Exception):
    """A measurement could not be made; the message says why."""


def cpu_seconds(pid: int) -> float:
    """User + system time of a process and its descendants, with those that ended and were waited for."""
    return sum(_own_cpu_seconds(one) for one in _tree(pid))


def memory_bytes(pid: int) -> int:
    """What a process holds of the machine's memory."""
    return _status_bytes(pid, "VmRSS")


def peak_memory_bytes(pid: int) -> int:
    """What it has held at most."""
    return _status_bytes(pid, "VmHWM")


def _status_bytes(pid: int, name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


def thread_count(pid: int) -> int:
    """How many threads a process has."""
    return len(list(Path(f"/proc/{pid}/task").iterdir()))


def _own_cpu_seconds(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / _TICKS  # utime, stime, cutime, cstime: proc(5)


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for child in child_pids(pid):
        yield from _tree(child)


class Program:
    """One of `tests.bench.programs`. It prints its results as lines of JSON."""

    def __init__(self, module: str, *arguments: object, environment: Mapping[str, str] | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *map(str, arguments)],
            cwd=PROJECT,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=parent_death_signal(SIGKILL),
        )
        self._unread = b""

    def __enter__(self) -> Program:
        return self

    def __exit__(self, *_: object) -> None:
        terminate(self.process, SIGTERM, timeout_s=5)
        assert self.process.stdout is not None
        self.process.stdout.close()

    @property
    def pid(self) -> int:
        return self.process.pid

    def line(self, within: float = 60.0) -> dict[str, Any]:
        """What it tells next. Raises BenchError when it ended instead, or said nothing for so many seconds."""
        assert self.process.stdout is not None
        output = self.process.stdout.fileno()
        while b"\n" not in self._unread:
            ready, _, _ = select.select([output], [], [], within)
            data = os.read(output, 65536) if ready else b""
            if not data:
                raise BenchError(f"{self.process.args!r} {'ended' if ready else f'said nothing for {within:g} s'}")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        told: dict[str, Any] = json.loads(line)
        return told


def emit(**facts: object) -> None:
    """How such a program tells its results."""
    print(json.dumps(facts), flush=True)


def wait_until_answers(url: str, wanted: str = "", within: float = START_DEADLINE) -> None:
    """Return once `url` answers 200 with `wanted` in its body. Raises BenchError."""
    deadline = time.monotonic() + within
    while True:
        try:
            with urlopen(url, timeout=2) as answer:  # noqa: S310 - our own server, on loopback
                if wanted in answer.read().decode():
                    return
        except (URLError, OSError):
            pass
        if time.monotonic() > deadline:
            raise BenchError(f"{url} did not answer within {within:g} s")
        time.sleep(0.05)


def wait_until_quiet(*pids: int, within: float = 120.0) -> None:
    """Return once these processes take less than a tenth of a core together. Raises BenchError."""
    deadline = time.monotonic() + within
    before = sum(map(cpu_seconds, pids))
    while time.monotonic() < deadline:
        time.sleep(1)
        now = sum(map(cpu_seconds, pids))
        if now - before < 0.1:
            return
        before = now
    raise BenchError(f"the servers did not come to rest within {within:g} s")


def raise_file_limit() -> None:
    """Each connection takes a file descriptor."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
